#include "tools/postgres/log_prefix.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

namespace interlock::tools {
namespace {

constexpr std::size_t prefix_bytes_max = 1'024; // of a line; names are up to 63 bytes each
constexpr std::string_view digits = "0123456789";

std::size_t span_of(std::string_view text, std::string_view allowed) {
    const std::size_t end = text.find_first_not_of(allowed);
    return end == std::string_view::npos ? text.size() : end;
}

/// %n: seconds since 1970 with a fraction.
std::size_t read_epoch(std::string_view text, std::optional<base::Time>& at) {
    long long seconds = 0;
    const std::size_t whole = span_of(text, digits);
    const auto [end, problem] = std::from_chars(text.data(), text.data() + whole, seconds);
    if (whole < 9 || whole > 11 || problem != std::errc{} || end != text.data() + whole) {
        return 0;
    }
    base::Time time{std::chrono::seconds{seconds}};
    std::size_t length = whole;
    if (length < text.size() && text[length] == '.') {
        int unit = 100'000;
        for (++length; length < text.size() && text[length] >= '0' && text[length] <= '9';
             ++length) {
            time += base::Duration{(text[length] - '0') * unit};
            unit /= 10;
        }
    }
    at = time;
    return length;
}

/// "LOG:  ": where a background process's prefix ends, before a value that looks for its end.
bool is_label(std::string_view text) {
    const std::size_t word = span_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ12345");
    return word > 0 && text.substr(word).starts_with(":  ");
}

/// Bytes that this escape's value takes at the beginning of `text`, where its shape is known.
std::optional<std::size_t> known_length(char escape, std::string_view text) {
    switch (escape) {
    case 'p':
    case 'P':
    case 'l':
    case 'x':
        return span_of(text, digits);
    case 'Q': // a signed number
        return text.starts_with('-') ? 1 + span_of(text.substr(1), digits) : span_of(text, digits);
    case 'e':
        return span_of(text.substr(0, 5), "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    case 'c':
        return span_of(text, "0123456789abcdef.");
    case 'v': { // 3/12
        const std::size_t backend = span_of(text, digits);
        return text.substr(backend).starts_with('/')
                   ? backend + 1 + span_of(text.substr(backend + 1), digits)
                   : backend;
    }
    default:
        return std::nullopt;
    }
}

} // namespace

LogPrefix::LogPrefix(std::string_view setting) {
    for (std::size_t i = 0; i < setting.size(); ++i) {
        Item item;
        if (setting[i] == '%' && i + 1 < setting.size()) {
            ++i;
            while (i + 1 < setting.size() &&
                   (setting[i] == '-' || (setting[i] >= '0' && setting[i] <= '9'))) {
                item.padded = true;
                ++i;
            }
            if (setting[i] != '%') {
                item.escape = setting[i];
                items_.push_back(std::move(item));
                continue;
            }
        }
        if (items_.empty() || items_.back().escape != 0) {
            items_.emplace_back();
        }
        items_.back().literal += setting[i];
    }
}

bool LogPrefix::has(char escape) const {
    return std::any_of(items_.begin(), items_.end(), [&](const Item& item) {
        return item.escape == escape;
    });
}

bool LogPrefix::ends_with(char escape) const {
    const auto last = std::find_if(items_.rbegin(), items_.rend(), [](const Item& item) {
        return item.escape != 0;
    });
    return last != items_.rend() && last->escape == escape;
}

std::optional<std::size_t> LogPrefix::read_value(
    std::size_t index, std::string_view rest, LogTimeReader& times, Fields& fields
) const {
    const char escape = items_[index].escape;
    std::optional<base::Time> unused;
    switch (escape) {
    case 'q':
        return is_label(rest) ? std::nullopt : std::optional<std::size_t>{0};
    case 'm':
    case 't':
    case 'n': {
        const std::size_t length =
            escape == 'n' ? read_epoch(rest, fields.at) : times.read(rest, fields.at);
        fields.timed = length > 0;
        return length > 0 ? std::optional{length} : std::nullopt;
    }
    case 's': // when the session began
        return times.read(rest, unused);
    default:
        break;
    }
    auto length = known_length(escape, rest);
    if (!length) {
        // Up to the text that comes next: nobody can tell a value apart that holds it.
        std::size_t next = index + 1;
        next += next < items_.size() && items_[next].escape == 'q' ? 1 : 0;
        const bool closed = next < items_.size() && items_[next].escape == 0;
        const std::size_t end = closed ? rest.find(items_[next].literal) : std::string_view::npos;
        if (end == std::string_view::npos) {
            return std::nullopt;
        }
        length = end;
    }
    for (const auto& [of, field] :
         {std::pair{'p', &fields.pid},
          std::pair{'u', &fields.user},
          std::pair{'d', &fields.database},
          std::pair{'a', &fields.application},
          std::pair{'e', &fields.sqlstate}}) {
        if (of == escape) {
            *field = rest.substr(0, *length);
        }
    }
    return length;
}

std::size_t LogPrefix::match(std::string_view line, LogTimeReader& times, Fields& fields) const {
    const std::string_view text = line.substr(0, prefix_bytes_max);
    std::size_t at = 0;
    const auto skip_padding = [&](const Item& item) {
        at += item.padded ? span_of(text.substr(at), " ") : 0;
    };
    for (std::size_t i = 0; i < items_.size(); ++i) {
        const Item& item = items_[i];
        if (item.escape == 0) {
            if (!text.substr(at).starts_with(item.literal)) {
                return at;
            }
            at += item.literal.size();
            continue;
        }
        skip_padding(item);
        const auto length = read_value(i, text.substr(at), times, fields);
        if (!length) {
            return at;
        }
        at += *length;
        skip_padding(item);
    }
    return at;
}

} // namespace interlock::tools
