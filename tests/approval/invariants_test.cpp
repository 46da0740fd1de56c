// The invariants of the queue, checked after every one of many random calls: whatever people,
// executors, clocks and crashes do, in whatever order.
#include "base/limits.hpp"
#include "tests/approval/fixture.hpp"

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::approval {

using test::must;
using test::Office;
using test::plan_to_approve;

namespace {

/// Three plans on two overlapping targets, three approvers, two executors.
class World {
public:
    explicit World(unsigned seed) : dice_(seed) {
        office.write_signers({"alice", "bob", "requester"});
        for (int i = 0; i < 3; ++i) {
            runbooks::Plan plan = plan_to_approve(1 + i % 2);
            plan.steps[0].about = "Plan " + std::to_string(i);
            plan.lease_key = i == 2 ? "2/app" : i == 1 ? "1/app/public.t" : "1/app";
            plans_.push_back(plan);
        }
    }

    void act() {
        const int what = roll(16);
        const std::string id = any_id();
        if (what == 0 || id.empty()) {
            (void)office.submit(
                plans_[static_cast<std::size_t>(roll(3))], roll(4) ? "requester" : "alice"
            );
        } else if (what <= 3) {
            vote(id);
        } else if (what == 4) {
            (void)office.queue.withdraw(id, test::agent_of("requester"), "Enough.");
        } else if (what == 5) {
            office.clock.advance(std::chrono::seconds{roll(4) ? 2 : roll(3) ? 40 : 2'000});
        } else if (what <= 7) {
            claim(id);
        } else if (what == 8) {
            keep(office.queue.take_over(id, executor()));
        } else {
            work();
        }
    }

    void check() {
        check_transitions();
        check_votes();
        check_leases();
        check_effects();
    }

    Office office;
    std::set<std::string> seen;

private:
    int roll(int sides) { return static_cast<int>(dice_() % static_cast<unsigned>(sides)); }
    std::string executor() { return roll(2) ? "exec-1" : "exec-2"; }
    std::string any_id() {
        const auto all = must(office.queue.list({}));
        return all.empty() ? ""
                           : all[static_cast<std::size_t>(roll(static_cast<int>(all.size())))].id;
    }
    void vote(const std::string& id) {
        constexpr const char* people[]{"alice", "bob", "requester"};
        constexpr DecisionVerdict verdicts[]{
            DecisionVerdict::approve,
            DecisionVerdict::approve,
            DecisionVerdict::approve,
            DecisionVerdict::approve,
            DecisionVerdict::reject,
            DecisionVerdict::revoke};
        if (!roll(6) && !used_.empty()) { // somebody replays an old one
            (void)office.queue.decide(
                used_[static_cast<std::size_t>(roll(static_cast<int>(used_.size())))], office.keys
            );
            return;
        }
        used_.push_back(office.signed_by(people[roll(3)], id, verdicts[roll(6)]));
        (void)office.queue.decide(used_.back(), office.keys);
    }
    void claim(const std::string& id) {
        const auto expires_at = must(office.queue.get(id)).expires_at;
        const auto claimed = office.claim(id, executor());
        CHECK((!claimed.ok() || base::format_time(office.clock.now()) < expires_at)); // I6
        keep(claimed);
    }
    void keep(const base::Result<Claim>& claim) {
        if (!claim.ok())
            return;
        CHECK(claim->fence > last_fence_); // I8
        last_fence_ = claim->fence;
        claims_.push_back(*claim);
    }
    /// Any executor that ever had a claim tries anything, as if it did not know better.
    void work() {
        if (claims_.empty())
            return;
        // Mostly the newest; else one that may have been replaced long ago.
        const Claim claim =
            roll(3) ? claims_.back()
                    : claims_[static_cast<std::size_t>(roll(static_cast<int>(claims_.size())))];
        constexpr const char* states[]{"INTENT", "INTENT", "DONE", "FAILED", "IN_DOUBT"};
        if (roll(3) == 0) {
            Claim copy = claim;
            (void)office.queue.renew(copy);
        } else if (roll(2)) {
            const bool forward = roll(3) != 0;
            const std::string state = states[roll(5)];
            if (office.queue
                    .record_step(
                        claim, {claim.plan_id, roll(2), forward, state, claim.fence, "", ""}
                    )
                    .ok())
                CHECK(claim.fence == newest_fence(claim.plan_id)); // I8
        } else {
            const PlanEvent event = some_event(claim.plan_id);
            if (office.queue.advance(claim, event, "Because.").ok())
                CHECK(claim.fence == newest_fence(claim.plan_id)); // I8
            if (roll(4) == 0)
                (void)office.queue.finish(claim, "{}");
        }
    }
    /// Mostly one that fits, so that histories get somewhere; else any.
    PlanEvent some_event(const std::string& id) {
        std::vector<PlanEvent> events = all_events();
        if (roll(5) != 0) {
            const PlanState state = office.state(id);
            std::erase_if(events, [&](PlanEvent each) {
                return !next_state(state, each).ok() || each == PlanEvent::stop;
            });
        }
        return events.empty()
                   ? PlanEvent::stop
                   : events[static_cast<std::size_t>(roll(static_cast<int>(events.size())))];
    }
    long long newest_fence(const std::string& id) {
        return std::stoll(office.cell("select fence from executions where plan_id = '" + id + "'"));
    }
    int count(const std::string& sql) { return std::stoi(office.cell(sql)); }

    /// I7 terminal states stay; I9 a change of state and its leaf come together.
    void check_transitions() {
        const auto leaves = office.leaves();
        bool moved = false;
        for (const auto& plan : must(office.queue.list({}))) {
            const std::string stored =
                office.cell("select state from plans where plan_id = '" + plan.id + "'");
            auto& before = states_[plan.id];
            if (!before.empty() && before != stored) {
                moved = true;
                const auto old = state_from_name(before);
                REQUIRE(old);
                CHECK((!is_terminal(*old) || stored == "CLOSED"));
            }
            moved = moved || before.empty();
            before = stored;
            seen.insert(stored);
            CHECK(base::hex(runbooks::plan_digest(plan.bytes)) == plan.digest);
        }
        CHECK((!moved || leaves > leaves_));
        leaves_ = leaves;
    }
    /// I4 one vote per person; I5 no requester approves.
    void check_votes() {
        CHECK(
            count("select count(*) from (select plan_id, kind, person from decisions "
                  "group by 1, 2, 3 having count(*) > 1)") == 0
        );
        CHECK(
            count("select count(*) from decisions d join plans p on p.plan_id = d.plan_id "
                  "where d.verdict <> 'revoke' and p.requester = 'os:' || d.approver") == 0
        );
        CHECK(
            count(
                "select count(*) from (select nonce from decisions group by 1 having count(*) > 1)"
            ) == 0
        );
    }
    /// I3 one execution a target, whatever part of it.
    void check_leases() {
        CHECK(
            count("select count(*) from target_leases a join target_leases b on a.fence < b.fence "
                  "where a.released_at is null and b.released_at is null "
                  "and (b.lease_key || '/' like a.lease_key || '/%' "
                  "or a.lease_key || '/' like b.lease_key || '/%')") == 0
        );
        // Who is at work holds a lease, and who has ended holds none.
        CHECK(
            count(
                "select count(*) from plans p where p.state in "
                "('CLAIMED', 'EXECUTING', 'IN_DOUBT', 'ROLLING_BACK', 'VERIFYING') and not exists "
                "(select 1 from target_leases l where l.plan_id = p.plan_id and l.released_at is "
                "null)"
            ) == 0
        );
        CHECK(
            count("select count(*) from plans p join target_leases l on l.plan_id = p.plan_id "
                  "where l.released_at is null and p.state not in "
                  "('CLAIMED', 'EXECUTING', 'IN_DOUBT', 'ROLLING_BACK', 'VERIFYING', 'HOLD')") == 0
        );
    }
    /// I1 every execution has its approvals; I2 an effect once recorded stays.
    void check_effects() {
        for (const auto& plan : must(office.queue.list({}))) {
            if (count("select count(*) from executions where plan_id = '" + plan.id + "'") == 0)
                continue;
            CHECK(
                count(
                    "select count(*) from executions where plan_digest = '" + plan.digest + "'"
                ) == 1
            );
            const auto needed =
                required_approvals(must(runbooks::parse_plan(plan.bytes))).approvals;
            CHECK(
                count(
                    "select count(distinct person) from decisions where verdict = 'approve' and "
                    "plan_id = '" +
                    plan.id + "'"
                ) >= needed
            );
            CHECK(
                count(
                    "select count(*) from decisions where verdict <> 'approve' and plan_id = '" +
                    plan.id + "'"
                ) == 0
            );
            for (const auto& step : must(office.queue.steps(plan.id))) {
                const std::string key =
                    plan.id + std::to_string(step.index) + (step.forward ? "f" : "b");
                if (done_.contains(key))
                    CHECK(step.state == "DONE"); // I2
                else if (step.state == "DONE")
                    done_.insert(key);
            }
        }
    }

    std::mt19937 dice_;
    std::vector<runbooks::Plan> plans_;
    std::vector<Claim> claims_;
    std::vector<SignedDecision> used_;
    std::map<std::string, std::string> states_;
    std::set<std::string> done_;
    long long last_fence_ = 0;
    std::uint64_t leaves_ = 0;
};

} // namespace

TEST_CASE("the invariants hold after every call of random histories") {
    std::set<std::string> seen;
    for (unsigned seed = 1; seed <= 10; ++seed) {
        INFO("seed " << seed);
        World world(seed);
        for (int i = 0; i < 70; ++i) {
            world.act();
            world.check();
        }
        CHECK(must(telemetry::verify_audit(*world.office.store, {})).problems.empty());
        seen.merge(world.seen);
    }
    // The histories went somewhere: they are no proof if nothing ever happened.
    CHECK(seen.size() >= 6);
    for (const auto& state : seen)
        UNSCOPED_INFO(state);
    CHECK(seen.size() >= 12);
    CHECK(seen.contains("EXECUTING"));
    CHECK(seen.contains("IN_DOUBT"));
    CHECK(seen.contains("EXPIRED"));
}

TEST_CASE("walking every arrow from PENDING reaches every state that can be reached") {
    // BLOCKED is entered at submission only; everything else is somewhere down the line.
    std::set<PlanState> reached{PlanState::pending};
    for (std::size_t before = 0; before != reached.size();) {
        before = reached.size();
        for (const auto state : std::set<PlanState>(reached))
            for (const auto event : all_events())
                if (const auto next = next_state(state, event); next.ok())
                    reached.insert(*next);
    }
    CHECK(reached.size() == all_states().size() - 1);
    CHECK_FALSE(reached.contains(PlanState::blocked));
}

} // namespace interlock::approval
