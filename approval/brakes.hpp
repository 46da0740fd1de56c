// Brakes: what people (kill switches) and the supervisor (suspensions) have stopped, in the store
// that all servers share. Each is set and lifted in one transaction with its leaf of the audit log.
// Setting is here; lifting is in brakes_lift.hpp, which the server cannot include: what it stops,
// only a person starts again.
#pragma once

#include "base/db/store.hpp"
#include "base/ids.hpp"
#include "base/json.hpp"
#include "base/result.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::approval {

enum class BrakeKind {
    tool,     // answers as if there were no such tool
    identity, // is told that it is suspended
    target,   // is not looked at
    all,      // no calls at all
};
enum class BrakeOrigin { person, supervisor };

const char* name(BrakeKind kind);
const char* name(BrakeOrigin origin);
std::optional<BrakeKind> brake_kind_from_name(std::string_view text);

struct Brake {
    BrakeKind kind = BrakeKind::all;
    std::string name;   // of the tool, the identity's subject or the target; "" for all
    std::string issuer; // of an identity; "" = that subject whoever issued it
    BrakeOrigin origin = BrakeOrigin::person;
    std::string cause;      // of the supervisor: "failures", "loop", "calls", "result_bytes",
                            // "database_time"; "" = a person's
    std::string who;        // subject of the person, or the program
    std::string reason;     // one sentence, for people and for the model that is stopped
    std::string at;         // store clock
    std::uint64_t leaf = 0; // of the audit log: its payload carries the transcript
    friend bool operator==(const Brake&, const Brake&) = default;
};

/// Of a person at a shell, beside the subject: the user as a number, and whom sudo names behind it.
/// The latter is a claim, which anybody can make. Both stand in the audit log only.
struct AtShell {
    std::optional<long long> uid;
    std::string sudo_user; // "" = nobody is named
};

struct SetBrake {
    Brake brake;
    bool already = false; // it was set before: that one stands
};

/// As programs show it to other programs. Callers include <nlohmann/json.hpp>.
base::Json brake_json(const Brake& brake);

base::Status create_brake_tables(db::StoreTransaction& transaction);

/// invalid_arguments when the name cannot be one of its kind or no reason is given.
base::Status check_brake(const Brake& brake);
/// Puts a brake in force; `brake.at` and `brake.leaf` are set here. `transcript` is JSON text for
/// the audit log, "" = none. limit_exceeded past limits::brakes_max, but `all` can always be set.
base::Result<SetBrake> set_brake(
    db::Store& store,
    base::Random& random,
    Brake brake,
    const std::string& transcript = {},
    const AtShell& shell = {}
);
/// Those in force, the latest first.
base::Result<std::vector<Brake>> brakes_in_force(db::Store& store);

} // namespace interlock::approval
