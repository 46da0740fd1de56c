#include "approval/brakes.hpp"

#include "approval/brake_rows.hpp"
#include "base/json.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"
#include "telemetry/audit_log.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <nlohmann/json.hpp>

namespace interlock::approval {
namespace {

using base::Errc;
using base::Error;
using base::Json;

constexpr std::array kinds{BrakeKind::tool, BrakeKind::identity, BrakeKind::target, BrakeKind::all};

constexpr std::size_t short_name_max = 64; // of tools and targets

bool is_short_name(std::string_view text, std::string_view more) {
    return !text.empty() && text.size() <= short_name_max &&
           std::all_of(text.begin(), text.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      more.find(c) != std::string_view::npos;
           });
}

/// As long as it may be, and with nothing that deceives a reader.
bool is_plain(std::string_view text) {
    return text.size() <= base::limits::brake_name_bytes_max && base::sanitize(text) == text;
}

Error bad(std::string what, std::string remedy) {
    return {Errc::invalid_arguments, std::move(what), std::move(remedy)};
}

base::Status check_name(const Brake& brake) {
    switch (brake.kind) {
    case BrakeKind::tool:
        if (!is_short_name(brake.name, "_")) {
            return bad("No tool can have that name.", "Use a name that tools/list shows.");
        }
        break;
    case BrakeKind::target:
        if (!is_short_name(brake.name, "_-")) {
            return bad("No target can have that name.", "Use a name of the configuration.");
        }
        break;
    case BrakeKind::identity:
        if (brake.name.empty() || !is_plain(brake.name)) {
            return bad(
                "No identity can have that name.",
                "Use the subject as the audit log shows it: os:alice, or a token's."
            );
        }
        break;
    case BrakeKind::all:
        if (!brake.name.empty()) {
            return bad("`all` takes no name.", "Leave it out.");
        }
        break;
    }
    if (!brake.issuer.empty() && (brake.kind != BrakeKind::identity || !is_plain(brake.issuer))) {
        return bad("Only an identity has an issuer, and it is a URL.", "Leave it out.");
    }
    return base::done;
}

base::Result<std::optional<Brake>> same(db::StoreTransaction& transaction, const Brake& brake) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select " + std::string(rows::brake_columns) +
                " from brakes where kind = $1 and name = $2 and issuer = $3",
            {name(brake.kind), brake.name, brake.issuer}
        )
    );
    if (found.empty()) {
        return std::optional<Brake>{};
    }
    INTERLOCK_TRY(Brake known, rows::brake_from(found, 0));
    return std::optional<Brake>{std::move(known)};
}

/// Of each origin's own: what the supervisor sets must not keep a person from setting one.
base::Status check_room(db::StoreTransaction& transaction, const Brake& brake) {
    if (brake.kind == BrakeKind::all) {
        return base::done;
    }
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select count(*) as brakes from brakes where origin = $1", {name(brake.origin)}
        )
    );
    if (found.integer(0, "brakes").value_or(0) < static_cast<long long>(base::limits::brakes_max)) {
        return base::done;
    }
    return Error{
        Errc::limit_exceeded,
        "There are " + std::to_string(base::limits::brakes_max) + " brakes in force already.",
        "Lift those that are no longer needed, or stop everything with `interlock kill all`."};
}

base::Result<SetBrake> set_in(
    db::StoreTransaction& transaction,
    base::Random& random,
    Brake brake,
    const std::string& transcript,
    const AtShell& shell
) {
    INTERLOCK_CHECK(create_brake_tables(transaction));
    INTERLOCK_TRY(auto known, same(transaction, brake));
    if (known) {
        return SetBrake{std::move(*known), /*already=*/true};
    }
    INTERLOCK_CHECK(check_room(transaction, brake));
    brake.at = base::format_time(transaction.now());
    INTERLOCK_TRY(
        brake.leaf,
        rows::note_brake(
            transaction, random, brake, {"brake.set", brake.who, brake.reason, transcript, shell}
        )
    );
    INTERLOCK_CHECK(transaction.run(
        "insert into brakes (" + std::string(rows::brake_columns) +
            ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        {name(brake.kind),
         brake.name,
         brake.issuer,
         name(brake.origin),
         brake.cause,
         brake.who,
         brake.reason,
         brake.at,
         std::to_string(brake.leaf)}
    ));
    return SetBrake{std::move(brake), /*already=*/false};
}

} // namespace

const char* name(BrakeKind kind) {
    switch (kind) {
    case BrakeKind::tool:
        return "tool";
    case BrakeKind::identity:
        return "identity";
    case BrakeKind::target:
        return "target";
    case BrakeKind::all:
        break;
    }
    return "all";
}

const char* name(BrakeOrigin origin) {
    return origin == BrakeOrigin::person ? "person" : "supervisor";
}

std::optional<BrakeKind> brake_kind_from_name(std::string_view text) {
    const auto found = std::find_if(kinds.begin(), kinds.end(), [&](BrakeKind kind) {
        return name(kind) == text;
    });
    return found == kinds.end() ? std::nullopt : std::optional(*found);
}

Json brake_json(const Brake& brake) {
    return {
        {"kind", name(brake.kind)},
        {"name", brake.name},
        {"issuer", brake.issuer},
        {"origin", name(brake.origin)},
        {"cause", brake.cause},
        {"who", brake.who},
        {"reason", brake.reason},
        {"at", brake.at},
        {"audit_index", brake.leaf}};
}

base::Status create_brake_tables(db::StoreTransaction& transaction) {
    INTERLOCK_CHECK(transaction.run(
        "create table if not exists brakes ("
        "kind text not null, name text not null, issuer text not null, origin text not null, "
        "cause text not null, who text not null, reason text not null, set_at text not null, "
        "leaf bigint not null, primary key (kind, name, issuer))"
    ));
    return base::done;
}

base::Status check_brake(const Brake& brake) {
    INTERLOCK_CHECK(check_name(brake));
    if (brake.who.empty()) {
        return Error{Errc::internal, "A brake was set by nobody.", ""};
    }
    if (base::trim(brake.reason).empty()) {
        return bad(
            "A reason is needed: people and the stopped model read it.", "Give it in one sentence."
        );
    }
    return base::done;
}

base::Result<SetBrake> set_brake(
    db::Store& store,
    base::Random& random,
    Brake brake,
    const std::string& transcript,
    const AtShell& shell
) {
    brake.reason =
        base::cut_middle(base::sanitize(brake.reason), base::limits::brake_reason_chars_max);
    INTERLOCK_CHECK(check_brake(brake));
    std::optional<SetBrake> set;
    INTERLOCK_CHECK(store.transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(set, set_in(transaction, random, brake, transcript, shell));
        return base::done;
    }));
    return std::move(*set);
}

base::Result<std::vector<Brake>> brakes_in_force(db::Store& store) {
    std::vector<Brake> brakes;
    INTERLOCK_CHECK(store.read([&](db::StoreTransaction& transaction) -> base::Status {
        brakes.clear();
        INTERLOCK_TRY(
            const auto found,
            transaction.run(
                "select " + std::string(rows::brake_columns) +
                " from brakes order by leaf desc, kind, name, issuer"
            )
        );
        for (std::size_t row = 0; row < found.rows.size(); ++row) {
            INTERLOCK_TRY(Brake brake, rows::brake_from(found, row));
            brakes.push_back(std::move(brake));
        }
        return base::done;
    }));
    return brakes;
}

namespace rows {

const std::string_view brake_columns =
    "kind, name, issuer, origin, cause, who, reason, set_at, leaf";

base::Result<Brake> brake_from(const db::Table& table, std::size_t row) {
    const auto kind = brake_kind_from_name(table.text(row, "kind"));
    if (!kind) {
        return Error{
            Errc::corrupt,
            "The store holds a brake of a kind that this version does not know.",
            "Use the newest version of Interlock that shares this store."};
    }
    Brake brake;
    brake.kind = *kind;
    brake.name = table.text(row, "name");
    brake.issuer = table.text(row, "issuer");
    brake.origin =
        table.text(row, "origin") == "person" ? BrakeOrigin::person : BrakeOrigin::supervisor;
    brake.cause = table.text(row, "cause");
    brake.who = table.text(row, "who");
    brake.reason = table.text(row, "reason");
    brake.at = table.text(row, "set_at");
    brake.leaf = static_cast<std::uint64_t>(table.integer(row, "leaf").value_or(0));
    return brake;
}

base::Result<std::optional<Brake>>
brake_on(db::StoreTransaction& transaction, const BrakedBy& what) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select " + std::string(brake_columns) +
                " from brakes where kind = 'all' "
                "or (kind = 'identity' and name = $1 and (issuer = '' or issuer = $2)) "
                "or (kind = 'tool' and name = $3) or (kind = 'target' and name = $4) "
                "order by kind limit 1",
            {what.subject, what.issuer, what.tool, what.target}
        )
    );
    if (found.empty()) {
        return std::optional<Brake>{};
    }
    INTERLOCK_TRY(Brake brake, brake_from(found, 0));
    return std::optional<Brake>{std::move(brake)};
}

base::Result<std::uint64_t> note_brake(
    db::StoreTransaction& transaction, base::Random& random, const Brake& brake, const BrakeAct& act
) {
    Json payload{
        {"kind", approval::name(brake.kind)},
        {"name", brake.name},
        {"issuer", brake.issuer},
        {"origin", approval::name(brake.origin)},
        {"cause", brake.cause},
        {"reason", act.reason}};
    if (act.shell.uid) {
        payload["uid"] = *act.shell.uid;
    }
    if (!act.shell.sudo_user.empty()) {
        payload["sudo_user"] = act.shell.sudo_user;
    }
    if (!act.transcript.empty()) {
        INTERLOCK_TRY(payload["transcript"], base::parse_json(act.transcript));
    }
    return telemetry::append_audit(
        transaction,
        random,
        telemetry::AuditEntry{
            .type = act.type,
            .actor = act.actor,
            .plan_digest = {},
            .payload = base::render_json(payload)}
    );
}

} // namespace rows
} // namespace interlock::approval
