// What a function returns when it can fail for a reason its caller must handle or tell a person.
// A Result holds either a value or an Error, never both and never neither. Exceptions are for
// libraries; they are turned into an Error at the door.
#pragma once

#include <string>
#include <utility>
#include <variant>

namespace interlock::base {

/// Why something failed. Callers branch on this; people read Error::what and Error::remedy.
enum class Errc {
    invalid_input,      // bytes, a file or a configuration that does not parse or is out of range
    invalid_arguments,  // a tool argument outside its schema
    not_found,          // an unknown target, plan, tool, file or evidence id
    permission_denied,  // the caller, role or key may not do this
    refused,            // policy or four-eyes says no
    refused_by_guard,   // the SQL guard says no
    invalid_signature,  // a signature that does not verify, or a revoked or unknown key
    expired,            // too late by the clock that decides
    conflict,           // somebody else was first: state or version moved
    invalid_transition, // the state machine has no such arrow
    changed,            // bytes differ from what was approved or recorded
    timeout,            // a deadline passed
    cancelled,          // the caller gave up
    target_unreachable, // no connection to the target
    target_busy,        // the target's connection pool and its queue are full
    not_supported,      // this server version, protocol or build cannot
    suspended,          // the identity was stopped
    budget_exhausted,   // the identity's budget is used up
    limit_exceeded,     // a limit of base/limits.hpp
    store_read_only,    // the queue file cannot be written
    store_full,         // no space for the queue file
    store_busy,         // the queue stayed locked past its wait
    store_unreachable,  // no connection to the shared store, or it was lost with nothing kept
    corrupt,            // stored data contradicts itself
    io,                 // an operating-system call failed
    internal,           // a defect of ours
};

/// The stable snake_case name of a code, for JSON and logs.
const char* name(Errc code);

/// What happened, why, and what to do about it. Both texts are for people: no secrets.
struct Error {
    Errc code = Errc::internal;
    std::string what;   // one sentence: what happened and why
    std::string remedy; // one sentence: what to do; may be empty when nothing can be done
};

/// "what remedy", for a terminal or a log.
std::string to_text(const Error& error);

/// A value or an Error.
template <class T>
class [[nodiscard]] Result {
public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & { return std::get<0>(state_); }
    const T& value() const& { return std::get<0>(state_); }
    T&& value() && { return std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    const Error& error() const& { return std::get<1>(state_); }
    Error&& error() && { return std::get<1>(std::move(state_)); }

private:
    std::variant<T, Error> state_;
};

struct Done {};
/// A Result without a value: `return done;` or `return Error{...};`.
using Status = Result<Done>;
inline constexpr Done done{};

} // namespace interlock::base

#define INTERLOCK_CONCAT_(a, b) a##b
#define INTERLOCK_CONCAT(a, b) INTERLOCK_CONCAT_(a, b)
/// `INTERLOCK_TRY(auto rows, query());` returns the error from this function or binds the value.
#define INTERLOCK_TRY(declaration, expression)                                                     \
    auto INTERLOCK_CONCAT(result_, __LINE__) = (expression);                                       \
    if (!INTERLOCK_CONCAT(result_, __LINE__).ok())                                                 \
        return std::move(INTERLOCK_CONCAT(result_, __LINE__)).error();                             \
    declaration = std::move(INTERLOCK_CONCAT(result_, __LINE__)).value()
/// `INTERLOCK_CHECK(status());` returns the error from this function or goes on.
#define INTERLOCK_CHECK(expression)                                                                \
    do {                                                                                           \
        auto checked_ = (expression);                                                              \
        if (!checked_.ok())                                                                        \
            return std::move(checked_).error();                                                    \
    } while (false)
