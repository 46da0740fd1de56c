// A call's arguments as spans and people may see them: what its declaration knows, and of all else
// only that it was there. The audit log has them verbatim.
#pragma once

#include "base/json.hpp"
#include "tools/tool.hpp"

#include <string>
#include <vector>

namespace interlock::tools {

/// A JSON object. Of declared inputs: choices, booleans, numbers within their bounds, and a target
/// that is configured (`targets`) stand as they are, all other values as their kind and length.
/// What is not declared is counted, under "[undeclared]".
std::string shown_arguments(
    const Tool& tool, const base::Json& arguments, const std::vector<std::string>& targets
);

} // namespace interlock::tools
