#include "tools/postgres/log_time.hpp"

#include <algorithm>
#include <array>

namespace interlock::tools {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t zones_seen_max = 16; // a hostile file could name many
constexpr std::size_t zone_chars_max = 10;

struct KnownZone {
    std::string_view abbreviation;
    minutes offset;
};

/// As PostgreSQL's own default set of abbreviations understands them.
constexpr std::array known_zones{
    KnownZone{"UTC", hours{0}},   KnownZone{"GMT", hours{0}},   KnownZone{"UCT", hours{0}},
    KnownZone{"Z", hours{0}},     KnownZone{"WET", hours{0}},   KnownZone{"WEST", hours{1}},
    KnownZone{"BST", hours{1}},   KnownZone{"CET", hours{1}},   KnownZone{"CEST", hours{2}},
    KnownZone{"EET", hours{2}},   KnownZone{"EEST", hours{3}},  KnownZone{"MSK", hours{3}},
    KnownZone{"JST", hours{9}},   KnownZone{"KST", hours{9}},   KnownZone{"AEST", hours{10}},
    KnownZone{"AEDT", hours{11}}, KnownZone{"NZST", hours{12}}, KnownZone{"NZDT", hours{13}},
    KnownZone{"EST", hours{-5}},  KnownZone{"EDT", hours{-4}},  KnownZone{"CST", hours{-6}},
    KnownZone{"CDT", hours{-5}},  KnownZone{"MST", hours{-7}},  KnownZone{"MDT", hours{-6}},
    KnownZone{"PST", hours{-8}},  KnownZone{"PDT", hours{-7}},  KnownZone{"AKST", hours{-9}},
    KnownZone{"AKDT", hours{-8}}, KnownZone{"HST", hours{-10}},
};

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// -1: not two digits.
int two_digits(std::string_view text, std::size_t at) {
    if (at + 2 > text.size() || !is_digit(text[at]) || !is_digit(text[at + 1])) {
        return -1;
    }
    return (text[at] - '0') * 10 + (text[at + 1] - '0');
}

/// "+03", "-0330", "+05:30": how zones without a name of their own are written.
std::optional<seconds> numeric_offset(std::string_view text) {
    if (text.size() < 3 || (text[0] != '+' && text[0] != '-')) {
        return std::nullopt;
    }
    const int whole = two_digits(text, 1);
    const int part = text.size() == 3 ? 0 : two_digits(text, text[3] == ':' ? 4 : 3);
    if (whole < 0 || part < 0 || whole > 15 || part > 59) {
        return std::nullopt;
    }
    const seconds offset = hours{whole} + minutes{part};
    return text[0] == '-' ? -offset : offset;
}

std::optional<seconds> known_offset(std::string_view abbreviation) {
    if (const auto numeric = numeric_offset(abbreviation)) {
        return numeric;
    }
    for (const KnownZone& zone : known_zones) {
        if (zone.abbreviation == abbreviation) {
            return zone.offset;
        }
    }
    return std::nullopt;
}

bool means_utc(std::string_view abbreviation) {
    return abbreviation == "UTC" || abbreviation == "GMT" || abbreviation == "Z";
}

/// "2026-11-21 21": the hour, as if it were UTC.
std::optional<base::Time> read_hour(std::string_view text) {
    const int century = two_digits(text, 0);
    const int year = two_digits(text, 2);
    const int month = two_digits(text, 5);
    const int day = two_digits(text, 8);
    const int hour = two_digits(text, 11);
    if (century < 0 || year < 0 || month < 0 || day < 0 || hour < 0 || hour > 23 ||
        text[4] != '-' || text[7] != '-' || (text[10] != ' ' && text[10] != 'T')) {
        return std::nullopt;
    }
    const std::chrono::year_month_day date{
        std::chrono::year{century * 100 + year},
        std::chrono::month{static_cast<unsigned>(month)},
        std::chrono::day{static_cast<unsigned>(day)}};
    if (!date.ok()) {
        return std::nullopt;
    }
    return base::Time{std::chrono::sys_days{date} + hours{hour}};
}

/// ":36:07.123" behind the hour: how much of `text` it is; 0 = it is not there.
std::size_t read_rest(std::string_view text, base::Duration& past) {
    const int minute = two_digits(text, 1);
    const int second = two_digits(text, 4);
    if (text.size() < 6 || text[0] != ':' || text[3] != ':' || minute < 0 || minute > 59 ||
        second < 0 || second > 60) {
        return 0;
    }
    past = minutes{minute} + seconds{second};
    std::size_t at = 6;
    if (at < text.size() && text[at] == '.') {
        int unit = 100'000;
        for (++at; at < text.size() && is_digit(text[at]); ++at) {
            past += base::Duration{(text[at] - '0') * unit};
            unit /= 10;
        }
    }
    return at;
}

/// " UTC" or " +03" behind the seconds; "" = none.
std::string_view zone_at(std::string_view text) {
    if (text.size() < 2 || text[0] != ' ') {
        return {};
    }
    const std::string_view rest = text.substr(1, zone_chars_max);
    const bool numeric = rest[0] == '+' || rest[0] == '-';
    std::size_t length = numeric ? 1 : 0;
    while (length < rest.size() &&
           (numeric ? is_digit(rest[length]) || rest[length] == ':' : is_letter(rest[length]))) {
        ++length;
    }
    return rest.substr(0, length);
}

} // namespace

std::optional<base::Time> LogZone::by_spans(base::Time local, std::string_view abbreviation) {
    const auto known = std::find_if(seen_.begin(), seen_.end(), [&](const auto& each) {
        return each.first == abbreviation;
    });
    std::optional<seconds> fits;
    bool twice = false;
    for (std::size_t i = 0; i < spans_.size(); ++i) {
        const base::Time at = local - spans_[i].offset;
        const bool begun = i == 0 || at >= spans_[i].since;
        const bool over = i + 1 < spans_.size() && at >= spans_[i + 1].since;
        if (begun && !over) {
            twice = fits.has_value();
            if (!fits || (known != seen_.end() && known->second == spans_[i].offset)) {
                fits = spans_[i].offset;
            }
        }
    }
    if (!fits) { // a time that the clock skipped: nobody wrote it, but a person may ask for it
        return local - spans_.back().offset;
    }
    if (!twice && known == seen_.end() && seen_.size() < zones_seen_max) {
        seen_.emplace_back(std::string{abbreviation}, *fits);
    }
    return local - *fits;
}

std::optional<base::Time> LogZone::to_utc(base::Time local, std::string_view abbreviation) {
    if (means_utc(abbreviation)) {
        return local;
    }
    if (const auto numeric = numeric_offset(abbreviation)) {
        return local - *numeric;
    }
    if (!spans_.empty()) {
        return by_spans(local, abbreviation);
    }
    if (const auto offset = known_offset(abbreviation)) {
        return local - *offset;
    }
    return std::nullopt;
}

std::size_t LogTimeReader::read(std::string_view text, std::optional<base::Time>& at) {
    constexpr std::size_t hour_chars = 13;
    at.reset();
    if (text.size() < hour_chars + 6 || !is_digit(text[0]) || text[4] != '-') {
        return 0;
    }
    base::Duration past{0};
    const std::string_view hour = text.substr(0, hour_chars);
    const std::size_t rest = read_rest(text.substr(hour_chars), past);
    if (rest == 0) {
        return 0;
    }
    const std::string_view zone = zone_at(text.substr(hour_chars + rest));
    const bool late = past >= minutes{30}; // offsets change on the hour or at half past it
    if (hour != hour_text_ || zone != hour_zone_ || late != late_) {
        const auto local = read_hour(hour);
        if (!local) {
            return 0;
        }
        const auto placed = zone_.to_utc(*local + past, zone);
        hour_text_ = hour;
        late_ = late;
        hour_zone_ = zone;
        hour_ = placed ? std::optional{*placed - past} : std::nullopt;
        if (!placed && unknown_zone_.empty()) {
            unknown_zone_ = zone.empty() ? "(none)" : std::string{zone};
        }
    }
    if (hour_) {
        at = *hour_ + past;
    }
    return hour_chars + rest + (zone.empty() ? 0 : 1 + zone.size());
}

std::optional<base::Time> LogTimeReader::read_local(std::string_view text) {
    base::Duration past{0};
    const auto hour = text.size() < 19 ? std::nullopt : read_hour(text.substr(0, 13));
    if (!hour || read_rest(text.substr(13), past) != text.size() - 13) {
        return std::nullopt;
    }
    const auto placed = zone_.to_utc(*hour + past, "");
    return placed ? placed : *hour + past; // nothing is known: as UTC
}

} // namespace interlock::tools
