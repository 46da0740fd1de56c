// The corpora of the guard: read by its own tests and by those that run what it allows.
#pragma once

#include "base/file.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

namespace interlock::test {

inline std::string guard_corpus(const std::string& name) {
    auto text = base::read_file("tests/base/db/guard/" + name, std::size_t{4} << 20);
    if (!text) {
        throw std::runtime_error(base::to_text(text.error()));
    }
    return std::move(text).value();
}

/// Statements parted by an empty line.
inline std::vector<std::string> allowed_statements() {
    std::vector<std::string> statements;
    const auto text = guard_corpus("allowed.sql");
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find("\n\n", from), text.size());
        statements.push_back(text.substr(from, end - from));
        from = end + 2;
    }
    return statements;
}

} // namespace interlock::test
