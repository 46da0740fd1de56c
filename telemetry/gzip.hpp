#pragma once

#include "base/result.hpp"

#include <string>
#include <string_view>

namespace interlock::telemetry {

/// `plain` as one gzip member (RFC 1952), packed quickly rather than tightly.
base::Result<std::string> gzip(std::string_view plain);

} // namespace interlock::telemetry
