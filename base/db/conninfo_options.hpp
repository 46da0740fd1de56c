// What libpq makes of a connection string: keywords and values.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

struct pg_conn;

namespace interlock::db {

class ConninfoOptions {
public:
    /// Nothing is said.
    ConninfoOptions() = default;
    /// key=value pairs or a URI; nullopt when it is neither. What libpq says of it is dropped: it
    /// quotes pieces of the text, and a piece may be half of a password with a space in it.
    static std::optional<ConninfoOptions> parse(const std::string& conninfo);
    /// libpq's environment and its built-in values.
    static ConninfoOptions defaults();
    /// What a connection is made with, a service file's settings among it.
    static ConninfoOptions of(pg_conn* connection);

    /// nullopt: not said; "" may be said.
    std::optional<std::string> find(std::string_view keyword) const;
    /// "" where nothing is said.
    std::string value(std::string_view keyword) const { return find(keyword).value_or(""); }

private:
    std::vector<std::pair<std::string, std::string>> said_;
};

} // namespace interlock::db
