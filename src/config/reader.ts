import { TsdeployError } from "../model/errors.js";
import type { OptionRow } from "./optionTable.js";

/** A value as it was written: flags and variables are text, YAML's scalars too; repeated flags are a list. */
export type RawValue = string | readonly RawValue[] | { readonly [key: string]: RawValue };

/** What is wrong with a value. */
export interface Complaint {
  readonly message: string;
  readonly hint: string;
  /** Default: OPTION_INVALID. */
  readonly code?: string;
  /** Which part of a list or map it is about. */
  readonly path?: readonly (string | number)[];
  /** About the key at that path and not about its value. */
  readonly aboutKey?: boolean;
}

export type Complain = (complaint: Complaint) => void;

/** Reads a value, or complains and returns undefined. Complains as often as there is a reason to. */
export type Reader = (raw: RawValue, complain: Complain, row: OptionRow) => unknown;

/** Text in quotes, for messages; of a long one the beginning. */
export function quote(text: string): string {
  return text.length > 200 ? `${JSON.stringify(text.slice(0, 200))}…` : JSON.stringify(text);
}

/** A reader of one piece of text. */
export function textReader(read: (text: string, complain: Complain, row: OptionRow) => unknown): Reader {
  return (raw, complain, row) => {
    if (typeof raw === "string") return read(raw.trim(), complain, row);
    const hint = "Write one value behind the key, on the same line.";
    complain({ message: `takes one value, not a ${Array.isArray(raw) ? "list" : "map"}`, hint });
    return undefined;
  };
}

/** What to do about a thing that is given twice. */
export const leaveOneOut = "Leave one of them out.";

/** A reader of text of a certain form. @param form completes "… is not" */
export function patternReader(pattern: RegExp, form: string, hint: string): Reader {
  return textReader((text, complain) => {
    if (pattern.test(text)) return text;
    complain({ message: `${quote(text)} is not ${form}`, hint });
    return undefined;
  });
}

export interface ListItem {
  readonly item: RawValue;
  readonly path: readonly number[];
}

/** The parts of a value that is a list, or is written with commas, each with its path. */
export function listItems(raw: RawValue): ListItem[] {
  const items = Array.isArray(raw) ? (raw as readonly RawValue[]) : [raw];
  return items.flatMap((item, index): ListItem[] => {
    const path = Array.isArray(raw) ? [index] : [];
    if (typeof item !== "string") return [{ item, path }];
    return item
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== "")
      .map((part) => ({ item: part, path }));
  });
}

/** Whether it is a YAML map. */
export function isMap(raw: RawValue): raw is Readonly<Record<string, RawValue>> {
  return typeof raw === "object" && !Array.isArray(raw);
}

/** Readers for use within a list or map: complaints get the path. */
export function within(complain: Complain, path: readonly (string | number)[]): Complain {
  return (complaint) => {
    complain({ ...complaint, path: [...path, ...(complaint.path ?? [])] });
  };
}

/** Turns the problems of our own functions into complaints. */
export function ownProblems<T>(read: () => T, complain: Complain): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TsdeployError)) throw error;
    for (const problem of error.problems) complain(problem);
    return undefined;
  }
}
