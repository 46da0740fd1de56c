// The executor's connection with a deadline other than the usual one.
#pragma once

#include "base/clock.hpp"
#include "base/db/writer_connection.hpp"

namespace interlock::db {

/// WriterConnection::open(), but a statement that is not answered within `deadline` breaks the
/// connection. Without it: the largest time-outs a plan may have, plus grace.
base::Result<std::unique_ptr<WriterConnection>> open_writer(
    const TargetAddress& address, const std::string& application_name, base::Duration deadline
);

} // namespace interlock::db
