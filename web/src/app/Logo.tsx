/** The mark: an eye in a speech bubble. */
export function Logo({ size = 44 }: { size?: number }) {
  return (
    <svg className="logo" width={size} height={size} viewBox="0 0 64 64" aria-hidden="true" focusable="false">
      <rect width="64" height="64" rx="16" className="logo-ground" />
      <path
        d="M10 33c6-10 13.500-15 22-15s16 5 22 15c-6 10-13.500 15-22 15-2.600 0-5.100-.5-7.500-1.400L15 51l2.600-8.300C14.800 40.300 12.300 37 10 33Z"
        fill="#fff"
      />
      <circle cx="32" cy="33" r="8.500" className="logo-ground" />
      <circle cx="35" cy="30" r="2.600" fill="#fff" />
    </svg>
  );
}
