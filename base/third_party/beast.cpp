// Beast is header-only by default; this file is its one compiled copy.
#include <boost/beast/src.hpp>
