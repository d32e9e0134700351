/**
 * What is being typed, for fields whose value stands in the address. The address follows a moment later, so a fast
 * typist must not be fed its echo: only values that come from elsewhere, such as the back button, replace the text.
 */
import { useRef, useState } from "react";

export function useTyped(
  value: string,
  onChange: (value: string) => void,
): [string, (value: string) => void] {
  const [typed, setTyped] = useState(value);
  const [seen, setSeen] = useState(value);
  const sent = useRef(new Set<string>());
  if (value !== seen) {
    setSeen(value);
    if (value === typed) sent.current.clear();
    else if (!sent.current.has(value)) setTyped(value);
  }
  const type = (next: string) => {
    sent.current.add(next);
    setTyped(next);
    onChange(next);
  };
  return [typed, type];
}
