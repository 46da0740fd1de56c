// Who authorised a call, how that was proven, and what it maps to. Every call has exactly one.
#pragma once

#include <map>
#include <string>

namespace interlock::telemetry {

struct Identity {
    std::string subject;       // stable id: "os:alice", "loopback:anonymous", a token's sub
    std::string issuer;        // "os", "loopback", the token's iss
    std::string proof;         // "os_user" | "none" | "jwt"
    std::string client;        // client name and version as it said; untrusted text
    std::string database_role; // SET LOCAL ROLE on targets; "" = the login role
    std::map<std::string, std::string> claims; // kept for the audit
};

} // namespace interlock::telemetry
