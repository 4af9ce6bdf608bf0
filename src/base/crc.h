/*
 * CRC-32C (Castagnoli; RFC 3720 appendix B.4). Start with 0 and pass the result
 * on to continue: crc32c(crc32c(0, a), b) is the sum of a and b together.
 */
#ifndef BASE_CRC_H
#define BASE_CRC_H

#include <stddef.h>
#include <stdint.h>

uint32_t crc32c(uint32_t crc, const void *, size_t);
uint32_t crc32c_portable(uint32_t crc, const void *, size_t);	/* for tests */

#endif
