#include "server/spending_watch.hpp"

#include "base/log.hpp"
#include "base/pause.hpp"
#include "server/sessions.hpp"

#include <utility>
#include <vector>

namespace interlock::server {
namespace {

/// Of what session_owner made.
approval::Spender spender_of(const std::string& owner) {
    const auto end = owner.find('\n');
    return {.issuer = owner.substr(0, end), .subject = owner.substr(end + 1)};
}

} // namespace

SpendingWatch::SpendingWatch(SpendingWatchParts parts) : parts_(parts) {}

SpendingWatch::~SpendingWatch() {
    stop();
}

void SpendingWatch::start(OverBudget over_budget) {
    over_budget_ = std::move(over_budget);
    thread_ = std::jthread([this](const std::stop_token& ended) {
        while (base::pause(ended, parts_.interval)) {
            (void)settle(); // told in the log
        }
    });
}

void SpendingWatch::stop() {
    if (!thread_.joinable()) {
        return;
    }
    thread_.request_stop();
    thread_.join();
    (void)settle();
}

void SpendingWatch::introduce(const telemetry::Identity& identity) {
    const std::string owner = session_owner(identity);
    if (!parts_.supervisor.watches() || parts_.supervisor.knows(owner)) {
        return;
    }
    const auto found = approval::spent_so_far(
        parts_.reading, {identity.issuer, identity.subject}, parts_.supervisor.window()
    );
    if (!found) { // told when the next round fails, too
        base::log_warning("budgets.unreadable", {{"what", base::to_text(found.error())}});
        return;
    }
    parts_.supervisor.introduce(owner, *found, parts_.clock.ticks());
}

base::Status SpendingWatch::settle() {
    const std::lock_guard lock(settling_);
    const Supervisor::Counted untold = parts_.supervisor.take_untold();
    if (untold.empty()) {
        return base::done;
    }
    std::vector<approval::SpentBy> spent;
    spent.reserve(untold.size());
    for (const auto& [owner, spending] : untold) {
        spent.push_back({spender_of(owner), spending});
    }
    const auto all = approval::add_spending(parts_.writing, spent, parts_.supervisor.window());
    note(all ? base::Status(base::done) : base::Status(all.error()));
    if (!all) {
        parts_.supervisor.give_back(untold);
        return all.error();
    }
    std::size_t at = 0;
    for (const auto& [owner, spending] : untold) {
        const auto breach = parts_.supervisor.learn(owner, (*all)[at++], parts_.clock.ticks());
        if (breach && over_budget_) {
            telemetry::Identity identity;
            const approval::Spender who = spender_of(owner);
            identity.issuer = who.issuer;
            identity.subject = who.subject;
            over_budget_(identity, *breach);
        }
    }
    return base::done;
}

/// Once when it begins to fail and once when it works again, not at every round.
void SpendingWatch::note(const base::Status& status) {
    if (status.ok() == !failing_) {
        return;
    }
    failing_ = !status.ok();
    if (failing_) {
        base::log_warning(
            "budgets.not_shared",
            {{"what", base::to_text(status.error())},
             {"then", "each server counts for itself until the store takes it"}}
        );
    } else {
        base::log_info("budgets.shared");
    }
}

} // namespace interlock::server
