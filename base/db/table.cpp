#include "base/db/table.hpp"

#include <charconv>
#include <cstdio>
#include <cstdlib>

namespace interlock::db {
namespace {

/// A wrong column or row is a defect in our code, not input: stop here, where it can be seen.
[[noreturn]] void defect(std::string_view what, std::string_view name) {
    std::fprintf(
        stderr,
        "interlock: defect in a table access: %.*s \"%.*s\"\n",
        static_cast<int>(what.size()),
        what.data(),
        static_cast<int>(name.size()),
        name.data()
    );
    std::abort();
}

template <class Number>
std::optional<Number> parse_number(const Cell& cell) {
    if (!cell) {
        return std::nullopt;
    }
    Number number{};
    const char* end = cell->data() + cell->size();
    const auto parsed = std::from_chars(cell->data(), end, number);
    if (parsed.ec != std::errc{} || parsed.ptr != end) {
        return std::nullopt;
    }
    return number;
}

} // namespace

std::size_t Table::column(std::string_view name) const {
    for (std::size_t i = 0; i < columns.size(); ++i) {
        if (columns[i] == name) {
            return i;
        }
    }
    defect("no column", name);
}

const Cell& Table::at(std::size_t row, std::string_view name) const {
    const auto index = column(name);
    if (row >= rows.size() || index >= rows[row].size()) {
        defect("no such row for column", name);
    }
    return rows[row][index];
}

std::string Table::text(std::size_t row, std::string_view name, std::string_view fallback) const {
    const auto& cell = at(row, name);
    return cell ? *cell : std::string{fallback};
}

std::optional<long long> Table::integer(std::size_t row, std::string_view name) const {
    return parse_number<long long>(at(row, name));
}

std::optional<double> Table::real(std::size_t row, std::string_view name) const {
    return parse_number<double>(at(row, name));
}

std::optional<bool> Table::boolean(std::size_t row, std::string_view name) const {
    const auto& cell = at(row, name);
    if (!cell) {
        return std::nullopt;
    }
    if (*cell == "t" || *cell == "1" || *cell == "true") {
        return true;
    }
    if (*cell == "f" || *cell == "0" || *cell == "false") {
        return false;
    }
    return std::nullopt;
}

} // namespace interlock::db
