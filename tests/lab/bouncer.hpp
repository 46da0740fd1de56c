// A real PgBouncer in front of a cluster, on a socket of its own.
#pragma once

#include "base/process.hpp"
#include "cli/demo/cluster.hpp"

#include <optional>
#include <string>

namespace interlock::lab {

class Bouncer {
public:
    /// `mode`: session, transaction or statement; `size`: server sessions of a user and database.
    Bouncer(const cli::Cluster& cluster, const std::string& mode, int size);
    Bouncer(const Bouncer&) = delete;
    Bouncer& operator=(const Bouncer&) = delete;
    ~Bouncer();

    std::string conninfo(const std::string& user, const std::string& database) const;

private:
    std::string directory_;
    std::optional<base::Child> program_;
};

} // namespace interlock::lab
