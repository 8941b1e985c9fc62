/// <reference types="next" />
/// <reference types="next/types/global" />
/// <reference types="react/canary" />
