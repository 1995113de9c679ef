import { type ComponentProps, type ReactNode, useId } from "react";

interface FieldProps {
  label: string;
  /** What to write; below the control. */
  hint?: ReactNode;
  /** What is wrong with it, and what to change. */
  problem?: string | null | undefined;
  children: (control: { id: string; "aria-describedby": string | undefined; "aria-invalid": boolean | undefined }) => ReactNode;
}

/** A control with its label, its hint and its error; a control without a label does not compile. */
export function Field({ label, hint, problem, children }: FieldProps) {
  const id = useId();
  const about = problem ? `${id}-problem` : hint ? `${id}-hint` : undefined;
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="text-sm font-medium">
        {label}
      </label>
      {children({ id, "aria-describedby": about, "aria-invalid": problem ? true : undefined })}
      {problem ? (
        <p id={`${id}-problem`} role="alert" className="text-sm text-bad">
          {problem}
        </p>
      ) : (
        hint && (
          <p id={`${id}-hint`} className="text-sm text-faint">
            {hint}
          </p>
        )
      )}
    </div>
  );
}

export const controlClass =
  "min-h-9 w-full rounded-control border border-line-strong/60 bg-surface px-3 text-base text-ink sm:text-sm placeholder:text-faint aria-[invalid]:border-bad";

type TextProps = Omit<FieldProps, "children"> & Omit<ComponentProps<"input">, "children" | "id">;

export function TextField({ label, hint, problem, className = "", ...rest }: TextProps) {
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(control) => <input {...rest} {...control} className={`${controlClass} ${className}`} />}
    </Field>
  );
}

type AreaProps = Omit<FieldProps, "children"> & Omit<ComponentProps<"textarea">, "children" | "id">;

export function TextArea({ label, hint, problem, className = "", ...rest }: AreaProps) {
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(control) => <textarea {...rest} {...control} className={`${controlClass} py-2 ${className}`} />}
    </Field>
  );
}

interface SelectProps extends Omit<FieldProps, "children">, Omit<ComponentProps<"select">, "children" | "id"> {
  options: readonly (readonly [value: string, label: string])[];
}

export function SelectField({ label, hint, problem, options, className = "", ...rest }: SelectProps) {
  return (
    <Field label={label} hint={hint} problem={problem}>
      {(control) => (
        <select {...rest} {...control} className={`${controlClass} truncate ${className}`}>
          {options.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

export function CheckField({ label, ...rest }: { label: ReactNode } & Omit<ComponentProps<"input">, "type">) {
  return (
    <label className="flex items-center gap-2 text-sm">
      <input type="checkbox" {...rest} className="size-4 accent-(--accent)" />
      <span>{label}</span>
    </label>
  );
}
