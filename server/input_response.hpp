// Whether what a client sent is an answer to a question of ours at all. Its contents stay
// untrusted: they are the handler's to judge.
#pragma once

#include "base/json.hpp"

#include <string_view>

namespace interlock::server {

/// Whether `response` has the shape of a result of `method`: elicitation/create,
/// sampling/createMessage or roots/list.
bool answers_question(std::string_view method, const base::Json& response);

} // namespace interlock::server
