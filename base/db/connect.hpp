// Connecting to one of a target's servers within a deadline: in the order and by the role that is
// wanted, with the password from its source, and with the certificate of a host elsewhere verified
// unless the target says otherwise (libpq itself would trust whoever answers).
#pragma once

#include "base/clock.hpp"
#include "base/db/conninfo.hpp"
#include "base/db/pq_session.hpp"
#include "base/result.hpp"

#include <string>

namespace interlock::db {

struct Connected {
    PqConnection connection;
    std::string server; // host:port, as conninfo names it; "" where only libpq knows
    /// How it is protected on its way: "local", "TLSv1.3, sslmode=verify-full", ...
    std::string transport;
    bool verified = false; // nobody else can have answered
};

/// Connects within limits::connect_timeout, in UTF-8, with libpq's notices dropped (they are
/// hostile text and would go to stderr). A password that is refused is read again, once, as it may
/// just have been changed. target_unreachable or permission_denied says why for each server. An
/// address without a name is that of the store.
base::Result<Connected> connect(
    const TargetAddress& address,
    const std::string& application_name,
    const Choice& choice,
    base::Clock& clock
);

} // namespace interlock::db
