// The executor's connection to a target: the only code in Interlock that can change one. It lives
// in a library of its own (interlock_target_write), which no other program links.
#pragma once

#include "base/db/conninfo.hpp"
#include "base/db/table.hpp"
#include "base/result.hpp"

#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace interlock::db {

class WriterConnection {
public:
    /// Opens a session with client_connection_check_interval set (so that a killed executor's
    /// statement ends with it), search_path = pg_catalog, standard_conforming_strings on, and the
    /// given application_name. Refuses a pooler in transaction mode (backend pid changes).
    static base::Result<std::unique_ptr<WriterConnection>>
    open(const TargetAddress& address, const std::string& application_name);
    virtual ~WriterConnection() = default;

    virtual int backend_pid() const = 0;
    /// One statement, extended protocol, parameters bound. Error carries the SQLSTATE in `what`.
    virtual base::Result<Table> execute(const Sql& sql, const std::vector<Cell>& parameters) = 0;
    virtual bool broken() const = 0;
};

} // namespace interlock::db
