// What identities have spent of the supervisor's budgets, added up in the store over all servers
// that share it, and over their restarts: starting another server, or the same one again, buys
// nobody a new budget. A window begins with the first thing spent after the last one ended.
#pragma once

#include "base/clock.hpp"
#include "base/db/store.hpp"
#include "base/result.hpp"

#include <string>
#include <vector>

namespace interlock::approval {

struct Spending {
    long long calls = 0;
    long long result_bytes = 0;
    base::Duration database{};
    friend bool operator==(const Spending&, const Spending&) = default;
};
Spending operator+(const Spending& left, const Spending& right);

struct Spender {
    std::string issuer;
    std::string subject;
};
struct SpentBy {
    Spender who;
    Spending spending;
};
/// Of one identity, by all servers.
struct WindowSpending {
    Spending total;
    base::Duration age{}; // since its window began
};

base::Status create_spending_table(db::StoreTransaction& transaction);

/// Adds what was spent, and returns what there is now, in the same order. One transaction.
base::Result<std::vector<WindowSpending>>
add_spending(db::Store& store, const std::vector<SpentBy>& spent, base::Duration window);
/// What there is, of a window that has not ended.
base::Result<WindowSpending>
spent_so_far(db::Store& store, const Spender& who, base::Duration window);

} // namespace interlock::approval
