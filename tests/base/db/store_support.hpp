// What the tests of both stores do with one.
#pragma once

#include "base/db/store.hpp"

#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::db::test {

inline base::Status
write(Store& store, const std::string& sql, const std::vector<Cell>& parameters = {}) {
    return store.transact([&](StoreTransaction& transaction) -> base::Status {
        INTERLOCK_CHECK(transaction.run(sql, parameters));
        return base::done;
    });
}

inline Table query(Store& store, const std::string& sql, const std::vector<Cell>& parameters = {}) {
    Table found;
    const auto status = store.read([&](StoreTransaction& transaction) -> base::Status {
        INTERLOCK_TRY(found, transaction.run(sql, parameters));
        return base::done;
    });
    if (!status) {
        FAIL(base::to_text(status.error()));
    }
    return found;
}

/// Rows of the table t.
inline long long count(Store& store) {
    return query(store, "select count(*) as n from t").integer(0, "n").value_or(-1);
}

inline void make_table(Store& store) {
    const auto made = write(store, "create table t (id bigint primary key, note text)");
    if (!made) {
        FAIL(base::to_text(made.error()));
    }
}

} // namespace interlock::db::test
