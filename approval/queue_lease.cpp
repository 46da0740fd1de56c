#include "approval/queue_lease.hpp"

#include "base/text.hpp"

namespace interlock::approval::lease {

namespace {

base::Error conflict(std::string what, std::string remedy) {
    return base::Error{base::Errc::conflict, std::move(what), std::move(remedy)};
}

/// "1/app" and "1/app/public.t" touch the same thing; "1/app" and "1/apple" do not.
bool overlap(std::string_view left, std::string_view right) {
    if (left.size() > right.size())
        std::swap(left, right);
    return right.starts_with(left) && (right.size() == left.size() || right[left.size()] == '/');
}

} // namespace

base::Status check_free(db::StoreTransaction& transaction, const std::string& lease_key) {
    INTERLOCK_TRY(
        const auto held,
        transaction.run("select lease_key, plan_id from target_leases where released_at is null")
    );
    for (std::size_t row = 0; row < held.rows.size(); ++row)
        if (overlap(held.text(row, "lease_key"), lease_key))
            return conflict(
                "Plan " + held.text(row, "plan_id") + " holds the target " +
                    base::sanitize(lease_key) + ".",
                "Wait until it has ended."
            );
    return base::done;
}

base::Result<long long> next_fence(db::StoreTransaction& transaction) {
    INTERLOCK_CHECK(
        transaction.run("update queue_counters set value = value + 1 where name = 'fence'")
    );
    INTERLOCK_TRY(
        const auto counter, transaction.run("select value from queue_counters where name = 'fence'")
    );
    const auto fence = counter.empty() ? std::nullopt : counter.integer(0, "value");
    if (!fence)
        return base::Error{
            base::Errc::corrupt,
            "The queue has lost its fence counter.",
            "Verify the audit log; nothing runs without the counter."};
    return *fence;
}

base::Status
hold(db::StoreTransaction& transaction, const std::string& lease_key, const Claim& claim) {
    INTERLOCK_CHECK(transaction.run(
        "insert into target_leases (fence, lease_key, plan_id, executor, lease_until, acquired_at) "
        "values ($1, $2, $3, $4, $5, $6)",
        {std::to_string(claim.fence),
         lease_key,
         claim.plan_id,
         claim.executor,
         claim.lease_until,
         base::format_time(transaction.now())}
    ));
    return base::done;
}

base::Status release(db::StoreTransaction& transaction, const std::string& plan_id) {
    INTERLOCK_CHECK(transaction.run(
        "update target_leases set released_at = $1 where plan_id = $2 and released_at is null",
        {base::format_time(transaction.now()), plan_id}
    ));
    return base::done;
}

base::Result<std::optional<Lease>>
held(db::StoreTransaction& transaction, const std::string& plan_id) {
    INTERLOCK_TRY(
        const auto found,
        transaction.run(
            "select lease_key, lease_until from target_leases "
            "where plan_id = $1 and released_at is null",
            {plan_id}
        )
    );
    if (found.empty())
        return std::optional<Lease>{};
    return std::optional<Lease>{{found.text(0, "lease_key"), found.text(0, "lease_until")}};
}

base::Status check_fence(db::StoreTransaction& transaction, const Claim& claim) {
    INTERLOCK_TRY(
        const auto execution,
        transaction.run(
            "select plan_id from executions where plan_id = $1 and fence = $2 and executor = $3",
            {claim.plan_id, std::to_string(claim.fence), claim.executor}
        )
    );
    if (!execution.empty())
        return base::done;
    return conflict(
        "The claim on plan " + claim.plan_id + " with fence " + std::to_string(claim.fence) +
            " is not in force: another executor has taken over.",
        "Stop working on it at once."
    );
}

base::Status check_live(db::StoreTransaction& transaction, const Claim& claim) {
    INTERLOCK_TRY(const auto lease, held(transaction, claim.plan_id));
    if (lease && base::format_time(transaction.now()) < lease->until)
        return base::done;
    return base::Error{
        base::Errc::expired,
        "The lease on plan " + claim.plan_id + " has run out by the queue's clock.",
        "Stop working on it; take it over and find out what was done."};
}

base::Result<std::string>
extend(db::StoreTransaction& transaction, const Claim& claim, std::chrono::milliseconds lifetime) {
    const std::string until = base::format_time(transaction.now() + lifetime);
    INTERLOCK_TRY(
        const auto renewed,
        transaction.run(
            "update target_leases set lease_until = $1 where fence = $2 and plan_id = $3 "
            "and released_at is null",
            {until, std::to_string(claim.fence), claim.plan_id}
        )
    );
    if (renewed.affected != 1)
        return conflict(
            "The lease on plan " + claim.plan_id + " is not held under this fence.",
            "Stop working on it at once."
        );
    return until;
}

} // namespace interlock::approval::lease
