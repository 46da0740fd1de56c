// What setting, lifting and asking within a transaction share: columns, reading a row, the leaf.
// Only approval/*.cpp include this.
#pragma once

#include "approval/brakes.hpp"

#include <optional>
#include <string>

namespace interlock::approval::rows {

extern const std::string_view brake_columns;
base::Result<Brake> brake_from(const db::Table& table, std::size_t row);
/// Setting or lifting a brake, for its leaf.
struct BrakeAct {
    const char* type; // "brake.set" or "brake.lifted"
    const std::string& actor;
    const std::string& reason;
    const std::string& transcript; // JSON text; "" = none
    const AtShell& shell;
};
base::Result<std::uint64_t> note_brake(
    db::StoreTransaction& transaction, base::Random& random, const Brake& brake, const BrakeAct& act
);

/// What a brake may be on.
struct BrakedBy {
    std::string subject;
    std::string issuer;
    std::string tool;
    std::string target;
};
/// The first in force that stops any of it, as this transaction sees it.
base::Result<std::optional<Brake>>
brake_on(db::StoreTransaction& transaction, const BrakedBy& what);

/// Whoever is lifted by a person has a whole budget again. `issuer` "": of that subject whoever
/// issued it.
base::Status forget_spending(
    db::StoreTransaction& transaction, const std::string& subject, const std::string& issuer
);

} // namespace interlock::approval::rows
