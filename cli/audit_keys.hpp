// The executors' keys that a reader of the log knows: of several executors, or of one whose key was
// changed in the time that is looked at.
#pragma once

#include "base/result.hpp"

#include <string>
#include <vector>

namespace interlock::cli {

/// Those that were given one by one, and those of `file` ("" = none): one verifier key a line, as
/// the executor keeps it in checkpoints/executor.vkey; empty lines and lines that begin with # are
/// passed over. An Error when one is no key, or the file holds none.
base::Result<std::vector<std::string>>
read_executor_keys(const std::vector<std::string>& given, const std::string& file);

} // namespace interlock::cli
