// The demo's incident: a small shop under load, and a session that takes row locks and then sits
// idle in its transaction while everybody queues behind it.
#pragma once

#include "base/process.hpp"
#include "base/result.hpp"
#include "cli/demo/cluster.hpp"
#include "cli/demo/throughput.hpp"

#include <memory>
#include <string>

namespace interlock::cli {

inline constexpr const char* demo_database = "shop";
inline constexpr int demo_clients = 8;

/// Makes the database, its roles (application, and those `interlock init` prints) and its data.
base::Status prepare_shop(const Cluster& cluster);

/// Eight clients updating orders, about 10 ms apart each, until destroyed.
class Workload {
public:
    static base::Result<std::unique_ptr<Workload>>
    start(const Cluster& cluster, const std::string& directory);
    Throughput& throughput() { return throughput_; }

private:
    Workload(base::Child child, std::string progress_path);
    base::Child child_;
    Throughput throughput_;
};

/// A session of the application that updates the hottest orders and does not commit.
class Blocker {
public:
    static base::Result<std::unique_ptr<Blocker>> start(const Cluster& cluster);
    int backend_pid() const { return backend_pid_; }

private:
    Blocker(base::Child child, int backend_pid);
    base::Child child_;
    int backend_pid_;
};

} // namespace interlock::cli
