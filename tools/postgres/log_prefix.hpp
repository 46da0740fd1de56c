// What stands before each entry of a text log, as log_line_prefix of the server says.
#pragma once

#include "tools/postgres/log_time.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace interlock::tools {

class LogPrefix {
public:
    explicit LogPrefix(std::string_view setting);

    struct Fields {
        std::optional<base::Time> at;
        bool timed = false; // a time stood there, whether or not its zone is known
        std::string_view pid;
        std::string_view user;
        std::string_view database;
        std::string_view application;
        std::string_view sqlstate;
    };
    /// How much of `line` is prefix, as far as it fits: an entry of a background process has only
    /// a part of it (%q). 0: none of it.
    std::size_t match(std::string_view line, LogTimeReader& times, Fields& fields) const;
    bool has(char escape) const;
    /// Whether this is the last value before the entry.
    bool ends_with(char escape) const;
    bool has_time() const { return has('m') || has('t') || has('n'); }

private:
    struct Item {
        char escape = 0; // 0: literal text
        bool padded = false;
        std::string literal = {};
    };
    /// How long the value of item `index` is at the beginning of `rest`; nullopt: it is not there.
    std::optional<std::size_t> read_value(
        std::size_t index, std::string_view rest, LogTimeReader& times, Fields& fields
    ) const;

    std::vector<Item> items_;
};

} // namespace interlock::tools
