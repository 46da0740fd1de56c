// `interlock plans`: what a person at a shell does with the queue. A decision is signed with the
// person's own SSH key over the digest of the bytes that were shown.
#pragma once

#include "cli/output.hpp"

#include <string>

namespace interlock::cli {

struct PlansOptions {
    std::string state_directory;
    bool json = false;
    std::string plan_id;
    std::string evidence_id; // evidence: one that the plan cites; "" = list them
    std::string state;       // list: only this state; "" = open and running ones
    bool all = false;        // list: every state
    std::string key;         // decide: private key, or public key of one in the agent
    std::string principal;   // decide: who I am in allowed_signers; "" = looked up by key
    std::string allowed_signers;
    std::string revoked_keys;
    std::string people;
    std::string reason;
    std::string digest; // decide: the digest that was read elsewhere, to be equal
    bool yes = false;   // decide: do not ask
};

Exit list_plans(const PlansOptions& options);
Exit show_plan(const PlansOptions& options);
Exit approve_plan(const PlansOptions& options);
Exit reject_plan(const PlansOptions& options);
Exit revoke_plan(const PlansOptions& options);

} // namespace interlock::cli
