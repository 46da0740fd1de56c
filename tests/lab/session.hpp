// A plain libpq session for tests: it holds locks, waits in queues, leaves transactions open.
#pragma once

#include "base/db/table.hpp"

#include <string>

struct pg_conn;

namespace interlock::lab {

class Session {
public:
    explicit Session(const std::string& conninfo, const std::string& application_name = "lab");
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session();

    int pid() const { return pid_; }
    /// As pg_stat_activity shows it, in UTC with microseconds: what a plan names beside the pid.
    const std::string& backend_start() const { return backend_start_; }

    /// Runs SQL, several statements allowed; the last result. Throws with the server's message.
    db::Table run(const std::string& sql);
    /// Runs SQL and returns its error's SQLSTATE, or "" if it worked.
    std::string try_run(const std::string& sql);

    /// Sends SQL without waiting for it: for a statement that will wait on a lock.
    void start(const std::string& sql);
    /// True while the statement sent by start() has not answered.
    bool busy();
    /// Waits for it (with the lab's patience); its SQLSTATE, or "" if it worked.
    std::string finish();
    /// False once the server has closed the session.
    bool alive();

private:
    std::string drain(db::Table* table);

    pg_conn* connection_;
    int pid_ = 0;
    std::string backend_start_;
    std::string message_;
};

} // namespace interlock::lab
