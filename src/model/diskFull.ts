/** How Linux, and whoever passes its error on, says that a disk has no room. */
export const diskFull = /no space left on device|disk quota exceeded/i;
