// When two calls are the same call and two results show the same. Results are never the same bytes:
// every packet has an id and a time of its own, ages grow, and sentences repeat both. What is left
// without all that is what an agent could learn something new from:
//
//   - members that name this answer alone do not count: id, evidence, whole, cut;
//   - nor do members that only the clock moves: at, age, and what ends in _at, _ms or _seconds (a
//     column with a unit of time is named so);
//   - in sentences (summary, value, because, against, meaning, what, why) numbers do not count: the
//     facts behind them stand in rows and objects, and there every pid and count does.
//
// So five looks at the same stuck session are a loop, although it is older each time, and five
// looks at sessions that come and go are none.
#pragma once

#include "server/offer.hpp"

#include <string>
#include <string_view>

namespace interlock::server {

/// `arguments`: JSON text with sorted keys.
std::string call_fingerprint(std::string_view tool, std::string_view arguments);
std::string result_fingerprint(const ToolAnswer& answer);
/// Of any other text, byte by byte.
std::string text_fingerprint(std::string_view text);

} // namespace interlock::server
