// Which records of the audit log tell of an incident: calls that name it, and plans that people
// were shown as of it.
#pragma once

#include "base/db/store.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <map>
#include <string>

namespace interlock::cli {

/// That a record's payload names; "" = none.
std::string incident_of(const base::Json& payload);

/// The digests and ids of the plans that were submitted as of `incident`, of the first `end`
/// records.
base::Result<std::map<std::string, std::string>>
plans_of_incident(db::Store& store, const std::string& incident, std::uint64_t end);

} // namespace interlock::cli
