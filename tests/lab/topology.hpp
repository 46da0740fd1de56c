// Servers beside the primary: a streaming replica, a logical subscriber; and pgbench as a workload.
#pragma once

#include "base/process.hpp"
#include "cli/demo/cluster.hpp"
#include "tests/lab/lab.hpp"

#include <memory>
#include <optional>
#include <string>

namespace interlock::lab {

/// A hot standby of `upstream`, of any major, streaming over a slot of its own.
class Replica {
public:
    explicit Replica(cli::Cluster& upstream = primary());
    Replica(const Replica&) = delete;
    Replica& operator=(const Replica&) = delete;
    ~Replica();

    cli::Cluster& cluster() { return *cluster_; }
    /// True when everything the primary has written so far is replayed here.
    bool catch_up();

private:
    cli::Cluster& upstream_;
    std::string slot_;
    std::unique_ptr<cli::Cluster> cluster_;
};

/// A second primary with a database that subscribes to `publisher`'s table `name` (made on both
/// sides as: id int primary key, note text).
class Subscriber {
public:
    Subscriber(const Database& publisher, const std::string& table);
    Subscriber(const Subscriber&) = delete;
    Subscriber& operator=(const Subscriber&) = delete;
    ~Subscriber();

    cli::Cluster& cluster() { return *cluster_; }
    db::Table sql(const std::string& text) const;

private:
    const Database& publisher_;
    std::unique_ptr<cli::Cluster> cluster_;
};

/// pgbench running `script` until the end of the scope.
class Workload {
public:
    Workload(
        const Database& database,
        const std::string& script,
        int clients = 2,
        const std::string& user = "postgres"
    );
    Workload(const Workload&) = delete;
    Workload& operator=(const Workload&) = delete;
    ~Workload();

    bool running() { return !pgbench_->poll(); }

private:
    std::string directory_;
    std::optional<base::Child> pgbench_;
};

} // namespace interlock::lab
