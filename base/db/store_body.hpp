// What both stores do with the body of a transaction.
#pragma once

#include "base/db/store.hpp"

#include <exception>
#include <functional>
#include <string>

namespace interlock::db {

/// The body's own answer; what it throws is a defect of ours, and rolls back like any Error.
inline base::Status call_body(
    const std::function<base::Status(StoreTransaction&)>& body, StoreTransaction& transaction
) {
    try {
        return body(transaction);
    } catch (const std::exception& failure) {
        return base::Error{
            base::Errc::internal,
            std::string{"A store transaction threw: "} + failure.what() + ".",
            ""};
    } catch (...) {
        return base::Error{
            base::Errc::internal, "A store transaction threw something unknown.", ""};
    }
}

} // namespace interlock::db
