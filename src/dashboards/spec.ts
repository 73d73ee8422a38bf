/** What a dashboard says, without how Grafana writes it down. Sizes are in Grafana's grid of 24 columns. */

export interface TargetSpec {
  readonly expr: string;
  /** Legend of a series, or column title in a table. */
  readonly legend: string;
  /** Unit of this column of a table where it is not the panel's; 'hidden' leaves the column out. */
  readonly unit?: string;
  /** Why the target may rightly have no data in a healthy worker. */
  readonly mayBeEmpty?: string;
}

export interface PanelSpec {
  readonly title: string;
  readonly description: string;
  /** A table shows the present moment: one row per label set, one column per target. */
  readonly kind: 'timeseries' | 'table';
  /** Grafana's id of a unit. */
  readonly unit: string;
  readonly targets: readonly TargetSpec[];
  readonly width?: number;
  /** Stacks the series: for parts that add up. */
  readonly stacked?: boolean;
  /** The axis goes below 0. */
  readonly signed?: boolean;
  /** Top of the axis, where the quantity has one. */
  readonly max?: number;
}

export interface RowSpec {
  readonly title: string;
  readonly panels: readonly PanelSpec[];
}

export interface DashboardSpec {
  /** File name without extension. */
  readonly file: string;
  /** Stays the same for ever: links and provisioning use it. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  /** Variables beside data source, job and instance. */
  readonly variables: readonly ('queue' | 'task')[];
  /** `messaging.system` of a dashboard about what a watcher sees in Redis: its variables are looked up there, not among runs. */
  readonly watched?: string;
  readonly rows: readonly RowSpec[];
}
