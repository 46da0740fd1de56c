#include "executor/store_contact.hpp"
#include "tests/executor/scene.hpp"

#include <atomic>

#include <catch2/catch.hpp>

namespace interlock::test {
namespace {

using base::Errc;

/// A store whose connection is lost before the next so many transactions.
class LosingStore final : public db::Store {
public:
    explicit LosingStore(db::Store& store) : store_(store) {}
    base::Status transact(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return lost() ? gone() : store_.transact(body);
    }
    base::Status read(const std::function<base::Status(db::StoreTransaction&)>& body) override {
        return lost() ? gone() : store_.read(body);
    }
    std::string describe() const override { return store_.describe(); }

    int lose_next = 0;
    int lose_from = -1; // of all transactions; -1: none
    int asked = 0;

private:
    bool lost() {
        const int number = asked++;
        return lose_next-- > 0 || (lose_from >= 0 && number >= lose_from);
    }
    static base::Status gone() {
        return base::Error{Errc::store_unreachable, "The store was lost.", "Try again."};
    }

    db::Store& store_;
};

std::unique_ptr<Machine> machine_on(Scene& scene, db::Store& store) {
    return std::make_unique<Machine>(
        store,
        scene.clock,
        scene.random,
        scene.door,
        scene.directory.path(),
        scene.approver.keys(),
        scene.library
    );
}

} // namespace

TEST_CASE("a lost connection is asked again, each time after twice as long", "[executor]") {
    ManualClock clock;
    int asked = 0;
    const auto began = clock.ticks();
    const auto answer = executor::ask_again(
        clock,
        [] { return false; },
        [&] {
            return ++asked < 4 ? base::Result<int>(base::Error{Errc::store_unreachable, "", ""})
                               : base::Result<int>(7);
        }
    );
    CHECK(answer.value() == 7);
    CHECK(clock.ticks() - began == 7 * base::limits::store_contact_retry);
}

TEST_CASE("it is not asked for ever, nor after another failure or a stop", "[executor]") {
    ManualClock clock;
    const auto times = [&](Errc code, bool stop) {
        int asked = 0;
        const auto answer = executor::ask_again(
            clock,
            [stop] { return stop; },
            [&] {
                ++asked;
                return base::Status(base::Error{code, "", ""});
            }
        );
        CHECK(answer.error().code == code);
        return asked;
    };
    CHECK(times(Errc::store_unreachable, false) == base::limits::store_contact_attempts);
    CHECK(times(Errc::store_unreachable, true) == 1);
    CHECK(times(Errc::io, false) == 1); // whether it was kept is not known
    CHECK(times(Errc::store_busy, false) == 1);
}

TEST_CASE("a store that is lost before the claim costs a plan nothing", "[executor]") {
    Scene scene;
    LosingStore store(*scene.store);
    const auto machine = machine_on(scene, store);
    const auto id = scene.approved(bounded_plan());
    must(machine->executor().start());
    store.lose_next = base::limits::store_contact_attempts - 1;
    const auto pass = machine->pass();
    CHECK(pass.failed == 0);
    CHECK(pass.succeeded == 1);
    CHECK(scene.plan(id).state == approval::PlanState::succeeded);
}

TEST_CASE("a store that stays away ends the look after a few tries", "[executor]") {
    Scene scene;
    LosingStore store(*scene.store);
    const auto machine = machine_on(scene, store);
    const auto id = scene.approved(bounded_plan());
    store.lose_from = store.asked;
    CHECK(machine->pass().failed == 1);
    CHECK(store.asked == base::limits::store_contact_attempts);
    CHECK(scene.plan(id).state == approval::PlanState::approved);
    CHECK(scene.script.sessions == 0);
}

TEST_CASE("wherever the store is lost after the claim, nothing is asked twice", "[executor]") {
    // How many transactions a whole run takes, and which one is the claim.
    int all = 0;
    {
        Scene scene;
        LosingStore store(*scene.store);
        const auto machine = machine_on(scene, store);
        scene.approved(bounded_plan());
        CHECK(machine->pass().succeeded == 1);
        all = store.asked;
    }
    int after_claim = 0;
    for (int from = 0; from < all; ++from) {
        INFO(from);
        Scene scene;
        LosingStore store(*scene.store);
        const auto machine = machine_on(scene, store);
        const auto id = scene.approved(bounded_plan());
        store.lose_from = from;
        const auto began = scene.clock.ticks();
        (void)machine->pass();
        const bool claimed = scene.plan(id).state != approval::PlanState::approved;
        after_claim += claimed ? 1 : 0;
        if (claimed) {
            // Only the target's own waits pass: none of them is a pause for the store.
            CHECK(store.asked <= from + 3); // what fails, the end's own try, the checkpoint
        }
        CHECK(scene.clock.ticks() - began < std::chrono::seconds(60));
        CHECK(scene.audit_holds());
    }
    CHECK(after_claim > 3);
}

} // namespace interlock::test
