// How much the guard may look at for one statement. Questions about a tree are asked within
// questions, so that a small text can make many of them: every walk counts the nodes that it visits
// here, ends when they are spent, and then the statement is denied, whatever was found until then.
#pragma once

#include <cstddef>

namespace interlock::db {

/// Of the statement that this thread judges: one thread judges one statement at a time.
class GuardSteps {
public:
    /// A new statement.
    static void begin();
    /// false: spent. A walk that is told so ends; what it answers no longer counts.
    static bool take(std::size_t steps = 1);
    static bool spent();
    static std::size_t taken();
};

} // namespace interlock::db
