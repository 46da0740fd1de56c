// Which subjects are one person, as configurations say it: a list under `people:`, each with the
// `name` that stands in allowed_signers and the other `subjects` the same person has.
#pragma once

#include "base/decode.hpp"

#include <string>
#include <vector>

namespace interlock::approval {

/// One list of subjects a person, the name first; for ApproverKeys::people.
std::vector<std::vector<std::string>> read_people(base::Decoder& decoder);

} // namespace interlock::approval
