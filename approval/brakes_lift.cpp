#include "approval/brakes_lift.hpp"

#include "approval/brake_rows.hpp"
#include "approval/spending.hpp"
#include "base/limits.hpp"
#include "base/text.hpp"

#include <utility>

namespace interlock::approval {
namespace {

using base::Errc;
using base::Error;

base::Result<std::vector<Brake>> named(db::StoreTransaction& transaction, const Lift& lift) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select " + std::string(rows::brake_columns) +
                " from brakes where kind = $1 and name = $2 and (cast($3 as text) is null or "
                "issuer = $3) "
                "order by leaf",
            {name(lift.kind), lift.name, lift.issuer}
        )
    );
    std::vector<Brake> brakes;
    for (std::size_t row = 0; row < found.rows.size(); ++row) {
        INTERLOCK_TRY(Brake brake, rows::brake_from(found, row));
        brakes.push_back(std::move(brake));
    }
    return brakes;
}

base::Status remove(
    db::StoreTransaction& transaction, base::Random& random, const Brake& brake, const Lift& by
) {
    INTERLOCK_CHECK(rows::note_brake(
        transaction, random, brake, {"brake.lifted", by.who, by.reason, /*transcript=*/{}, by.shell}
    ));
    INTERLOCK_CHECK(transaction.run(
        "delete from brakes where kind = $1 and name = $2 and issuer = $3",
        {name(brake.kind), brake.name, brake.issuer}
    ));
    return brake.kind == BrakeKind::identity
               ? rows::forget_spending(transaction, brake.name, brake.issuer)
               : base::done;
}

} // namespace

base::Result<std::vector<Brake>>
lift_brakes(db::Store& store, base::Random& random, const Lift& lift) {
    Lift by = lift;
    by.reason = base::cut_middle(base::sanitize(by.reason), base::limits::brake_reason_chars_max);
    if (by.who.empty() || base::trim(by.reason).empty()) {
        return Error{
            Errc::invalid_arguments,
            "A brake is lifted by a person, for a reason.",
            "Give the reason in one sentence."};
    }
    std::vector<Brake> lifted;
    const auto status = store.transact([&](db::StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(create_brake_tables(transaction));
        INTERLOCK_CHECK(create_spending_table(transaction));
        INTERLOCK_TRY(lifted, named(transaction, by));
        if (lifted.empty()) {
            return Error{
                Errc::not_found,
                "No such brake is in force.",
                "`interlock kill list` shows those that are."};
        }
        for (const Brake& brake : lifted) {
            INTERLOCK_CHECK(remove(transaction, random, brake, by));
        }
        return base::done;
    });
    if (!status) {
        return status.error();
    }
    return lifted;
}

} // namespace interlock::approval
