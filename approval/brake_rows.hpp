// What setting and lifting share: columns, reading a row, and the leaf. Only approval/brakes*.cpp
// include this.
#pragma once

#include "approval/brakes.hpp"

#include <string>

namespace interlock::approval::rows {

extern const std::string_view brake_columns;
base::Result<Brake> brake_from(const db::Table& table, std::size_t row);
/// `type`: "brake.set" or "brake.lifted"; `reason` and `actor` are of this act.
base::Result<std::uint64_t> note_brake(
    db::StoreTransaction& transaction,
    base::Random& random,
    const Brake& brake,
    const std::string& type,
    const std::string& actor,
    const std::string& reason,
    const std::string& transcript
);

} // namespace interlock::approval::rows
