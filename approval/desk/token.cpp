#include "approval/desk/token.hpp"

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/text.hpp"

#include <filesystem>
#include <optional>

namespace interlock::desk {

namespace {

constexpr std::size_t token_random_bytes = 32;
constexpr std::size_t token_characters_min = 32;
constexpr std::size_t token_file_bytes_max = 4096;

base::Status check_private(const std::string& path) {
    using std::filesystem::perms;
    std::error_code failure;
    const auto status = std::filesystem::status(path, failure);
    const perms others = perms::group_all | perms::others_all;
    if (!failure && (status.permissions() & others) == perms::none)
        return base::done;
    return base::Error{
        base::Errc::permission_denied,
        "The secret in " + path + " can be read by others than its owner.",
        "Make it private: chmod 600 " + path + "; then replace the secret."};
}

/// The secret a request offers, in either form.
std::optional<std::string> offered_token(const base::HttpRequest& request) {
    const auto header = request.header("Authorization");
    if (!header)
        return std::nullopt;
    const std::string_view value = *header;
    const std::size_t space = value.find(' ');
    if (space == std::string_view::npos)
        return std::nullopt;
    const std::string scheme = base::lower_ascii(value.substr(0, space));
    const std::string_view rest = base::trim(value.substr(space + 1));
    if (scheme == "bearer")
        return std::string(rest);
    if (scheme != "basic")
        return std::nullopt;
    const auto pair = base::from_base64(rest);
    if (!pair.ok())
        return std::nullopt;
    const std::size_t colon = pair->find(':');
    if (colon == std::string::npos)
        return std::nullopt;
    return pair->substr(colon + 1);
}

} // namespace

base::Result<std::string> read_private_line(const std::string& path) {
    INTERLOCK_TRY(const std::string content, base::read_file(path, token_file_bytes_max));
    INTERLOCK_CHECK(check_private(path));
    std::string line(base::trim(std::string_view(content).substr(0, content.find('\n'))));
    if (line.empty())
        return base::Error{
            base::Errc::invalid_input,
            "There is no secret in " + path + ".",
            "Write it into the first line."};
    return line;
}

base::Result<std::string> load_or_create_token(const std::string& path, base::Random& random) {
    auto content = base::read_file(path, token_file_bytes_max);
    if (!content.ok() && content.error().code == base::Errc::not_found) {
        const std::string fresh = base::hex(random.bytes(token_random_bytes));
        INTERLOCK_CHECK(base::write_file_atomically(path, fresh + "\n", 0600));
        return fresh;
    }
    if (!content.ok())
        return content.error();
    INTERLOCK_CHECK(check_private(path));
    std::string token(base::trim(*content));
    if (token.size() < token_characters_min)
        return base::Error{
            base::Errc::invalid_input,
            "The token in " + path + " is shorter than " + std::to_string(token_characters_min) +
                " characters and could be guessed.",
            "Remove the file; the desk makes a new one."};
    return token;
}

bool carries_token(const base::HttpRequest& request, const std::string& token) {
    const auto offered = offered_token(request);
    return offered && !token.empty() && base::equal(*offered, token);
}

} // namespace interlock::desk
