#include "cli/audit_keys.hpp"

#include "base/file.hpp"
#include "base/text.hpp"
#include "telemetry/checkpoint.hpp"

#include <algorithm>
#include <string_view>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;

constexpr std::size_t file_bytes_max = std::size_t{1} << 16; // some hundred keys

} // namespace

base::Result<std::vector<std::string>>
read_executor_keys(const std::vector<std::string>& given, const std::string& file) {
    std::vector<std::string> keys;
    for (const auto& key : given) {
        keys.emplace_back(base::trim(key));
    }
    if (!file.empty()) {
        const auto text = base::read_file(file, file_bytes_max);
        if (!text) {
            return Error{
                Errc::invalid_arguments,
                "The file of --executor-keys cannot be used: " + text.error().what,
                "Name the file in which the executors' verifier keys stand, one a line."};
        }
        for (std::string_view rest = *text; !rest.empty();) {
            const auto line = base::trim(rest.substr(0, rest.find('\n')));
            rest.remove_prefix(std::min(rest.find('\n'), rest.size() - 1) + 1);
            if (!line.empty() && line.front() != '#') {
                keys.emplace_back(line);
            }
        }
        if (keys.size() == given.size()) {
            return Error{
                Errc::invalid_arguments,
                "The file of --executor-keys holds no key.",
                "Write the executors' verifier keys into it, one a line."};
        }
    }
    for (const auto& key : keys) {
        INTERLOCK_CHECK(telemetry::parse_verifier_key(key));
    }
    return keys;
}

} // namespace interlock::cli
