#include "cli/tar.hpp"

#include "base/limits.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace interlock::cli {

namespace {

using base::Errc;
using base::Error;

constexpr std::size_t block = 512;
constexpr std::size_t path_max = 100; // the name field; ours are shorter

// Where the fields of a header stand, and how long they are.
struct Field {
    std::size_t at;
    std::size_t size;
};
constexpr Field name_field{0, 100};
constexpr Field mode_field{100, 8};
constexpr Field owner_field{108, 8};
constexpr Field group_field{116, 8};
constexpr Field size_field{124, 12};
constexpr Field time_field{136, 12};
constexpr Field sum_field{148, 8};
constexpr std::size_t type_at = 156;
constexpr Field magic_field{257, 8};
constexpr std::string_view magic{
    "ustar\0"
    "00",
    8};
constexpr Field prefix_field{345, 155};

using Header = std::array<char, block>;

Error malformed(const std::string& why) {
    return {
        Errc::invalid_input,
        "This is not an audit bundle: " + why + ".",
        "Use the file exactly as `interlock audit export` wrote it."};
}

/// Relative, of plain ASCII, and nowhere above where it is unpacked.
bool is_plain(std::string_view path) {
    if (path.empty() || path.size() > path_max || path.front() == '/' || path.back() == '/')
        return false;
    const bool characters = std::all_of(path.begin(), path.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '/' || c == '.' || c == '-' || c == '_';
    });
    const auto framed = "/" + std::string(path) + "/";
    return characters && framed.find("//") == std::string::npos &&
           framed.find("/./") == std::string::npos && framed.find("/../") == std::string::npos;
}

/// Octal digits, filled with zeros, and a zero byte.
void put_number(Header& header, Field field, std::size_t value) {
    for (std::size_t i = field.size - 1; i-- > 0; value /= 8)
        header[field.at + i] = static_cast<char>('0' + value % 8);
    header[field.at + field.size - 1] = '\0';
}

std::optional<std::size_t> number(std::string_view header, Field field) {
    auto digits = header.substr(field.at, field.size);
    while (!digits.empty() && (digits.back() == '\0' || digits.back() == ' '))
        digits.remove_suffix(1);
    std::size_t value = 0;
    const auto* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, 8);
    if (error != std::errc{} || stop != end)
        return std::nullopt;
    return value;
}

/// The sum of all bytes, those of the sum itself taken as spaces.
std::size_t sum_of(std::string_view header) {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < header.size(); ++i) {
        const bool own = i >= sum_field.at && i < sum_field.at + sum_field.size;
        sum += own ? static_cast<unsigned char>(' ') : static_cast<unsigned char>(header[i]);
    }
    return sum;
}

std::string_view text(std::string_view header, Field field) {
    const auto whole = header.substr(field.at, field.size);
    return whole.substr(0, whole.find('\0'));
}

std::size_t padding(std::size_t size) {
    return (block - size % block) % block;
}

bool is_empty(std::string_view bytes) {
    return bytes.find_first_not_of('\0') == std::string_view::npos;
}

/// What follows the first of the two empty blocks: the second, and whatever fills up a tape.
bool ends_there(std::string_view rest) {
    return rest.size() >= block && rest.size() % block == 0 && is_empty(rest);
}

Header header_of(const std::string& path, std::size_t size) {
    Header header{};
    std::memcpy(header.data() + name_field.at, path.data(), path.size());
    put_number(header, mode_field, 0644);
    put_number(header, owner_field, 0);
    put_number(header, group_field, 0);
    put_number(header, size_field, size);
    put_number(header, time_field, 0);
    header[type_at] = '0';
    std::memcpy(header.data() + magic_field.at, magic.data(), magic.size());
    // Six digits, a zero byte, a space: the one field of another form.
    put_number(header, {sum_field.at, sum_field.size - 1}, sum_of({header.data(), header.size()}));
    header[sum_field.at + sum_field.size - 1] = ' ';
    return header;
}

} // namespace

base::Result<std::string> write_tar(const Files& files) {
    std::size_t total = 2 * block;
    for (const auto& [path, content] : files) {
        if (!is_plain(path))
            return Error{Errc::invalid_input, "A bundle holds no file " + path + ".", ""};
        total += block + content.size() + padding(content.size());
    }
    if (total > base::limits::audit_bundle_bytes_max ||
        files.size() > base::limits::audit_bundle_files_max)
        return Error{
            Errc::limit_exceeded,
            "The bundle would be larger than " +
                std::to_string(base::limits::audit_bundle_bytes_max) + " bytes.",
            "Export a shorter period, or one plan."};
    std::string tar;
    tar.reserve(total);
    for (const auto& [path, content] : files) {
        const auto header = header_of(path, content.size());
        tar.append(header.data(), header.size());
        tar += content;
        tar.append(padding(content.size()), '\0');
    }
    tar.append(2 * block, '\0');
    return tar;
}

base::Result<Files> read_tar(std::string_view bytes) {
    if (bytes.size() > base::limits::audit_bundle_bytes_max)
        return malformed("it is too large");
    Files files;
    for (std::size_t at = 0;;) {
        if (bytes.size() - at < block)
            return malformed("it is cut off");
        const auto header = bytes.substr(at, block);
        at += block;
        if (is_empty(header))
            return ends_there(bytes.substr(at)) ? base::Result<Files>(std::move(files))
                                                : malformed("something follows its end");
        if (number(header, sum_field) != sum_of(header))
            return malformed("the header of a file was changed");
        if (header.substr(magic_field.at, 6) != magic.substr(0, 6))
            return malformed("it is not in the ustar form");
        const char type = header[type_at];
        if ((type != '0' && type != '\0') || !text(header, prefix_field).empty())
            return malformed("it holds something else than plain files");
        const std::string path(text(header, name_field));
        if (!is_plain(path))
            return malformed("it holds a file whose path leads elsewhere");
        const auto size = number(header, size_field);
        if (!size || *size > bytes.size() - at || *size + padding(*size) > bytes.size() - at)
            return malformed("the file " + path + " is cut off");
        if (files.size() >= base::limits::audit_bundle_files_max)
            return malformed("it holds too many files");
        if (!files.emplace(path, bytes.substr(at, *size)).second)
            return malformed("the file " + path + " stands in it twice");
        if (!is_empty(bytes.substr(at + *size, padding(*size))))
            return malformed("something stands behind the file " + path);
        at += *size + padding(*size);
    }
}

} // namespace interlock::cli
