#include "cli/kill.hpp"

#include "approval/brakes.hpp"
#include "approval/brakes_lift.hpp"
#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/db/store_place.hpp"
#include "base/ids.hpp"
#include "base/json_string.hpp"
#include "base/process.hpp"
#include "base/state_directory.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"
#include "telemetry/audit_scan.hpp"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <unistd.h>
#include <vector>

#include <nlohmann/json.hpp>

namespace interlock::cli {

using approval::Brake;
using approval::BrakeKind;
using base::Errc;
using base::Error;
using base::Json;
using base::Result;

namespace {

constexpr std::size_t user_chars_max = 64;
constexpr std::uint64_t looked_at_for_names = 20'000; // newest records; under a second

Result<std::unique_ptr<db::Store>>
open(const KillOptions& options, db::StoreMode mode, base::Clock& clock) {
    return db::open_store(base::StateDirectory{options.state_directory}, mode, clock);
}

Result<BrakeKind> kind_of(const KillOptions& options) {
    const auto kind = approval::brake_kind_from_name(options.kind);
    if (!kind) {
        return Error{
            Errc::invalid_arguments,
            "There is no kind of brake called " + options.kind + ".",
            "Kinds: tool, identity, target, all."};
    }
    return *kind;
}

std::string myself() {
    return "os:" + base::current_user();
}

/// Whom sudo names is a claim: it stands beside the user as whom this runs, never in its place.
approval::AtShell at_shell() {
    approval::AtShell shell;
    shell.uid = static_cast<long long>(::geteuid());
    if (const char* const claimed = std::getenv("SUDO_USER")) {
        shell.sudo_user = base::cut_middle(base::sanitize(claimed), user_chars_max);
    }
    return shell;
}

/// For a terminal: names and reasons may come from an agent.
std::string shown(std::string_view stored) {
    return base::escape_non_ascii(base::sanitize(stored));
}

std::string what(const Brake& brake) {
    std::string text = approval::name(brake.kind);
    if (!brake.name.empty()) {
        text += " " + shown(brake.name);
    }
    if (!brake.issuer.empty()) {
        text += " of " + shown(brake.issuer);
    }
    return text;
}

/// What its leaf of the audit log says; null when that is there no more.
Json recorded(db::Store& store, const Brake& brake) {
    const auto records = telemetry::read_audit(store, brake.leaf, 1);
    if (!records || records->empty() || records->front().index != brake.leaf ||
        !records->front().payload) {
        return nullptr;
    }
    const auto payload =
        base::parse_json(*records->front().payload, base::limits::audit_payload_bytes_max);
    return payload ? *payload : Json(nullptr);
}

Json member_or_null(const Json& payload, const char* name) {
    const Json* found = base::member(payload, name);
    return found != nullptr ? *found : Json(nullptr);
}

/// Whether one of the newest records is about what a kill names. A name with a typo stops nobody.
bool is_known(db::Store& store, const Brake& brake) {
    if (brake.kind == BrakeKind::all) {
        return true;
    }
    std::uint64_t size = 0;
    const auto counted = store.read([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(const auto head, telemetry::audit_head(transaction));
        size = head.size;
        return base::done;
    });
    const std::string said =
        std::string{"\""} + approval::name(brake.kind) + "\":" + base::json_string(brake.name);
    telemetry::AuditScan newest;
    newest.first = size - std::min(size, looked_at_for_names);
    newest.end = std::min(size, brake.leaf); // not the record of the kill itself
    newest.payloads = brake.kind != BrakeKind::identity;
    bool found = false;
    const auto looked = telemetry::scan_audit(store, newest, [&](telemetry::ScannedRecord& record) {
        const auto header = telemetry::read_leaf_header(record.header);
        const bool begun = header && header->type == "tool.begin";
        found = brake.kind == BrakeKind::identity
                    ? header && header->actor == brake.name
                    : begun && record.payload && record.payload->find(said) != std::string::npos;
        return Result<telemetry::Scan>(found ? telemetry::Scan::enough : telemetry::Scan::go_on);
    });
    return found || !counted || !looked; // what cannot be looked up is no reason to doubt
}

struct Killed : approval::SetBrake {
    bool known = true;
};

Result<Killed> set(const KillOptions& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    Brake brake;
    INTERLOCK_TRY(brake.kind, kind_of(options));
    brake.name = options.name;
    brake.issuer = options.issuer;
    brake.who = myself();
    brake.reason = options.reason;
    INTERLOCK_CHECK(approval::check_brake(brake));
    INTERLOCK_TRY(const auto store, open(options, db::StoreMode::existing, clock));
    INTERLOCK_TRY(auto done, approval::set_brake(*store, random, std::move(brake), {}, at_shell()));
    const bool known = is_known(*store, done.brake);
    return Killed{std::move(done), known};
}

Result<std::vector<Brake>> lift(const KillOptions& options) {
    base::SystemClock clock;
    base::SystemRandom random;
    approval::Lift wanted;
    INTERLOCK_TRY(wanted.kind, kind_of(options));
    wanted.name = options.name;
    if (!options.issuer.empty()) {
        wanted.issuer = options.issuer;
    }
    wanted.who = myself();
    wanted.reason = options.reason;
    wanted.shell = at_shell();
    INTERLOCK_TRY(const auto store, open(options, db::StoreMode::existing, clock));
    return approval::lift_brakes(*store, random, wanted);
}

} // namespace

Exit set_kill(const KillOptions& options) {
    const auto done = set(options);
    if (!done) {
        return report(done.error(), options.json);
    }
    if (options.json) {
        Json document = approval::brake_json(done->brake);
        document["already"] = done->already;
        document["known"] = done->known;
        print_json(document);
    } else if (done->already) {
        print_line(
            "Already stopped: " + what(done->brake) + ", by " + shown(done->brake.who) + " at " +
            shown(done->brake.at) + "."
        );
    } else {
        print_line(
            "Stopped: " + what(done->brake) +
            ". Every server that shares this store obeys within two seconds."
        );
    }
    if (!done->known && !options.json) {
        note(
            std::string{"No call of late was of this "} + approval::name(done->brake.kind) +
            ": look whether the name is right. `interlock audit report` shows who called what."
        );
    }
    return Exit::ok;
}

Exit lift_kill(const KillOptions& options) {
    const auto lifted = lift(options);
    if (!lifted) {
        return report(lifted.error(), options.json);
    }
    Json document = {{"lifted", Json::array()}};
    for (const Brake& brake : *lifted) {
        document["lifted"].push_back(approval::brake_json(brake));
        if (!options.json) {
            print_line("Lifted: " + what(brake) + ".");
        }
    }
    if (options.json) {
        print_json(document);
    }
    return Exit::ok;
}

Exit list_kills(const KillOptions& options) {
    base::SystemClock clock;
    const auto store = open(options, db::StoreMode::read_only, clock);
    if (!store) {
        return report(store.error(), options.json);
    }
    const auto brakes = approval::brakes_in_force(**store);
    if (!brakes) {
        return report(brakes.error(), options.json);
    }
    if (options.json) {
        Json document = {{"brakes", Json::array()}};
        for (const Brake& brake : *brakes) {
            Json entry = approval::brake_json(brake);
            const Json payload = recorded(**store, brake);
            for (const char* name : {"transcript", "uid", "sudo_user"}) {
                entry[name] = member_or_null(payload, name);
            }
            document["brakes"].push_back(std::move(entry));
        }
        print_json(document);
        return Exit::ok;
    }
    if (brakes->empty()) {
        print_line("Nothing is stopped.");
    }
    for (const Brake& brake : *brakes) {
        const auto sudo = base::string_member(recorded(**store, brake), "sudo_user");
        print_line(
            shown(brake.at) + "  " + what(brake) + "  by " + shown(brake.who) +
            (sudo ? " (sudo names " + shown(*sudo) + ")" : "") + ": " + shown(brake.reason)
        );
    }
    return Exit::ok;
}

} // namespace interlock::cli
