// A statement template of a contract: SQL in which {name} stands for a parameter. Binding turns
// each distinct name into one $n with a cast; no value ever becomes text of the statement.
#pragma once

#include "base/result.hpp"
#include "runbooks/plan.hpp"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::runbooks {

/// The distinct parameter names of a template, in the order they first stand in it. invalid_input
/// for what could hide something from its reader or from this scanner: characters other than
/// printable ASCII and newlines, comments, backslashes, `$`, `;`, unclosed quotes, and names
/// inside quotes.
base::Result<std::vector<std::string>> template_names(std::string_view sql);

/// Every name of the template must be in `values`; invalid_input otherwise.
base::Result<BoundStatement>
bind_template(std::string_view sql, const std::map<std::string, BoundParameter>& values);

} // namespace interlock::runbooks
