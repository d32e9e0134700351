/** The JSX runtime, made of the React that Lab shares: children become arguments, so that React sees which of them are fixed. */
import { createElement, Fragment, type Key } from "react";

type Element = Parameters<typeof createElement>[0];
type Props = Record<string, unknown>;

const withKey = (props: Props, key: Key | undefined): Props =>
  key === undefined ? props : { ...props, key };

export const jsx = (type: Element, props: Props, key?: Key) => createElement(type, withKey(props, key));

export function jsxs(type: Element, props: Props, key?: Key) {
  const { children, ...rest } = props;
  return createElement(type, withKey(rest, key), ...(children as []));
}

export { Fragment };
