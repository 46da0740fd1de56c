// Reading lane checks in tests.
#pragma once

#include "tests/lab/lab.hpp"
#include "tools/lane_check.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace interlock::test {
inline std::vector<tools::LaneCheck>
checks_of(const lab::Database& database, const std::string& user) {
    auto connection = db::ReaderConnection::open(database.address(user));
    REQUIRE(connection.ok());
    auto checks = tools::check_lane(**connection);
    REQUIRE(checks.ok());
    return std::move(checks).value();
}

inline const tools::LaneCheck&
find(const std::vector<tools::LaneCheck>& checks, const std::string& name) {
    const auto found = std::find_if(checks.begin(), checks.end(), [&](const auto& check) {
        return check.name == name;
    });
    REQUIRE(found != checks.end());
    return *found;
}

/// Names of the required checks that failed.
inline std::vector<std::string> failed(const std::vector<tools::LaneCheck>& checks) {
    std::vector<std::string> out;
    for (const tools::LaneCheck& check : checks) {
        if (check.required && !check.passed) {
            INFO(check.name << ": " << check.proof);
            out.push_back(check.name);
        }
    }
    return out;
}

using Strings = std::vector<std::string>;

} // namespace interlock::test
