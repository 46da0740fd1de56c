// Server-sent events as bytes (WHATWG HTML, section 9.2).
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace interlock::server {

/// One `message` event. `data` is one JSON text; line ends in it (there should be none) cannot end
/// the event. `id` "" = none.
std::string sse_message(std::string_view data, std::string_view id = {});
/// An event that only carries an id, with empty data: a client may come back from here.
std::string sse_priming(std::string_view id);
std::string sse_retry(std::chrono::milliseconds delay);
/// A comment line: keeps proxies from closing a quiet stream.
std::string sse_keep_alive();

} // namespace interlock::server
