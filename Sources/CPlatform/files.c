#define _GNU_SOURCE
#include "CPlatform.h"
#include <fcntl.h>

void kumiai_begin_writing(int descriptor, int64_t offset, int64_t count) {
    // Only a hint: what it does not do, the next fdatasync does.
    (void)sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}
