// What a statement would cost by its own words alone: lengths and counts that stand in it as
// constants. A time-out ends what only takes long; this is for what takes all memory before that,
// and for what is plainly meant to take long.
#pragma once

#include "base/json.hpp"

#include <string>
#include <string_view>

namespace interlock::db {

class GuardBounds {
public:
    explicit GuardBounds(std::string_view sql) : sql_(sql) {}

    /// "" or the class of attack that a call is.
    std::string_view call(const std::string& function, const base::Json& call);
    /// The first argument of a call, when it is a constant text; or "".
    static std::string first_text(const base::Json& call);
    /// What only all calls together tell; after them.
    std::string_view whole(const base::Json& statement) const;
    /// Whether a SELECT from `relation` itself takes all of its columns by a bare star.
    static bool takes_all(const base::Json& select, std::string_view relation);
    /// For the length that a type is given.
    std::string_view type(const std::string& name, const base::Json& type) const;

private:
    std::string_view series(const base::Json& arguments);
    std::string_view length(const base::Json& arguments);
    bool within(const base::Json& node, double most) const;
    bool has_constant_row(const base::Json& statement, double most) const;

    std::string_view sql_;
    // Columns that say a length, a count of rows, an exponent.
    bool sized_by_columns_ = false;
    bool counted_by_columns_ = false;
    bool raised_by_columns_ = false;
};

} // namespace interlock::db
